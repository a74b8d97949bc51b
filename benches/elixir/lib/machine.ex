defmodule Bench.Machine do
  @moduledoc "What a result depends on besides the code: the machine, the versions, the day."

  @root Path.expand("../../..", __DIR__)

  @doc "The lines that stand above every table of results."
  def lines do
    [
      "- date: #{DateTime.utc_now() |> DateTime.truncate(:second)}",
      "- processor: #{processor()}, #{System.schedulers_online()} schedulers",
      "- OTP #{otp()}, Elixir #{System.version()}, #{command("rustc", ["--version"])}",
      "- commit: #{command("git", ["describe", "--always", "--dirty"])}"
    ]
  end

  @doc "The module of that name, `ets` among them."
  def module("ets"), do: :ets
  def module(name), do: Module.concat([name])

  @doc "The day, for names of files."
  def today, do: Date.to_iso8601(Date.utc_today())

  @doc "Where a result of that name is kept; its directory is made."
  def result_file(name, extension \\ "md") do
    directory = Path.join([@root, "benches", "results"])
    File.mkdir_p!(directory)
    Path.join(directory, "#{name}-#{today()}.#{extension}")
  end

  @doc "The load of the machine in the last minute, where the system tells it."
  def load do
    case File.read("/proc/loadavg") do
      {:ok, text} -> text |> String.split() |> hd()
      {:error, _} -> "unknown"
    end
  end

  defp otp do
    release = System.otp_release()
    file = Path.join([:code.root_dir(), "releases", release, "OTP_VERSION"])

    case File.read(file) do
      {:ok, version} -> String.trim(version)
      {:error, _} -> release
    end
  end

  defp processor do
    with {:ok, text} <- File.read("/proc/cpuinfo"),
         [_, model] <- Regex.run(~r/^model name\s*: (.*)$/m, text) do
      model
    else
      _ -> to_string(:erlang.system_info(:system_architecture))
    end
  end

  defp command(program, arguments) do
    options = [stderr_to_stdout: true, cd: @root]

    case System.find_executable(program) && System.cmd(program, arguments, options) do
      {output, 0} -> String.trim(output)
      _ -> "no #{program}"
    end
  end
end
