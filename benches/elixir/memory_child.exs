# One measurement in a fresh virtual machine: memory_child.exs MODULE TYPE KEYS VALUES COUNT
#
# Prints the growth of the resident memory in bytes: by the objects, and what is left of it
# after the table was deleted.

Code.require_file("lib/shapes.ex", __DIR__)

defmodule Bench.MemoryChild do
  def run(module, type, keys, values, count) do
    table = module.new(:bench, [type, :public])
    object = &Bench.Shapes.object(keys, values, &1)
    fill(module, table, object, 1, 1000)
    before = resident()
    fill(module, table, object, 1001, count)
    full = resident()
    module.delete(table)
    Process.sleep(2000)
    IO.puts("#{full - before} #{max(resident() - before, 0)}")
  end

  # In a process of its own, whose garbage goes with it.
  defp fill(module, table, object, from, to) do
    task = Task.async(fn -> Enum.each(from..to, &module.insert(table, object.(&1))) end)
    Task.await(task, :infinity)
  end

  defp resident do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    [_, kilobytes] = Regex.run(~r/^VmRSS:\s*(\d+) kB$/m, File.read!("/proc/self/status"))
    1024 * String.to_integer(kilobytes)
  end
end

[module, type, keys, values, count] = System.argv()
[module, type, keys, values] = Enum.map([module, type, keys, values], &String.to_atom/1)
Bench.MemoryChild.run(module, type, keys, values, String.to_integer(count))
