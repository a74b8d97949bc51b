defmodule Bench.Machine do
  @moduledoc "What a result depends on besides the code: the machine, the versions, the day."

  @doc "The lines that stand above every table of results."
  def lines do
    [
      "- date: #{DateTime.utc_now() |> DateTime.truncate(:second)}",
      "- processor: #{processor()}, #{System.schedulers_online()} schedulers",
      "- OTP #{otp()}, Elixir #{System.version()}, #{command("rustc", ["--version"])}",
      "- commit: #{command("git", ["describe", "--always", "--dirty"])}"
    ]
  end

  @doc "The day, for names of files."
  def today, do: Date.to_iso8601(Date.utc_today())

  @doc "Where a result of that name is kept."
  def result_file(name) do
    directory = Path.expand("../../results", __DIR__)
    File.mkdir_p!(directory)
    Path.join(directory, "#{name}-#{today()}.md")
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
    case System.find_executable(program) && System.cmd(program, arguments, stderr_to_stdout: true) do
      {output, 0} -> String.trim(output)
      _ -> "no #{program}"
    end
  end
end
