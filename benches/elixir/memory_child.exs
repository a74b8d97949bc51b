# One measurement in a fresh virtual machine: memory_child.exs MODULE SHAPE COUNT
#
# Prints the growth of the resident memory in bytes: by the objects, and what is left of it
# after the table was deleted.

defmodule Bench.MemoryChild do
  def run(module, shape, count) do
    table = module.new(:bench, [:set, :public])
    fill(module, table, shape, 1, 1000)
    before = resident()
    fill(module, table, shape, 1001, count)
    full = resident()
    module.delete(table)
    Process.sleep(2000)
    IO.puts("#{full - before} #{max(resident() - before, 0)}")
  end

  # In a process of its own, whose garbage goes with it.
  defp fill(module, table, shape, from, to) do
    task =
      Task.async(fn -> Enum.each(from..to, &module.insert(table, {&1, value(shape, &1)})) end)

    Task.await(task, :infinity)
  end

  defp value("integer", n), do: n

  defp value("map", n) do
    %{
      id: n,
      age: rem(n, 90),
      city: rem(n, 1000),
      score: n * 3,
      level: rem(n, 7),
      visits: rem(n, 365),
      credit: n * 10,
      group: rem(n, 12),
      rank: rem(n, 100),
      active: true
    }
  end

  defp resident do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    [_, kilobytes] = Regex.run(~r/^VmRSS:\s*(\d+) kB$/m, File.read!("/proc/self/status"))
    1024 * String.to_integer(kilobytes)
  end
end

[module, shape, count] = System.argv()
module = if module == "ets", do: :ets, else: Module.concat([module])
Bench.MemoryChild.run(module, shape, String.to_integer(count))
