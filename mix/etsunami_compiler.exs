defmodule Mix.Tasks.Compile.EtsunamiNif do
  @moduledoc """
  Builds the native library of Etsunami with Cargo and puts it into the priv directory.

  The task is defined by a script that `mix.exs` requires, because a project cannot use a
  compiler that it compiles itself; so it is there as well when Etsunami is a dependency of
  another project.

  Cargo runs only if a source of the library, an environment variable that matters to the build,
  or the library itself has changed since the last time.

  ## Environment

    * `ETSUNAMI_NIF_PATH` - a prebuilt library to be used; Cargo is not needed then
    * `CARGO_TARGET_DIR` - where Cargo builds, `target` beside `Cargo.toml` by default
    * `CARGO_BUILD_TARGET` - the platform to build for

  """

  use Mix.Task.Compiler

  @recursive true
  @root Path.expand("..", __DIR__)
  @crate "etsunami_nif"
  @manifest "compile.etsunami_nif"
  @manifest_version 1

  # Patterns below the root of everything that the library is made of.
  @sources [
    "Cargo.{toml,lock}",
    "rust-toolchain{,.toml}",
    ".cargo/config{,.toml}",
    "native/**/*.{rs,toml}"
  ]

  @variables ~w(
    ETSUNAMI_NIF_PATH CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    RUSTUP_TOOLCHAIN
  )

  @impl true
  def run(args) do
    fingerprint = fingerprint()

    if "--force" not in args and up_to_date?(fingerprint) do
      :noop
    else
      with {:ok, library} <- library() do
        install(library)
        write_manifest(fingerprint)
        {:ok, []}
      end
    end
  end

  @impl true
  def manifests, do: [manifest()]

  @impl true
  def clean do
    File.rm(manifest())
    File.rm(installed())
    :ok
  end

  # Where the library comes from

  defp library do
    case System.get_env("ETSUNAMI_NIF_PATH") do
      unset when unset in [nil, ""] -> build()
      path -> prebuilt(Path.expand(path))
    end
  end

  defp prebuilt(path) do
    if File.regular?(path) do
      {:ok, path}
    else
      Mix.raise("ETSUNAMI_NIF_PATH names #{inspect(path)}, which is not a file.")
    end
  end

  defp build do
    cargo = cargo()
    target = Path.expand(System.get_env("CARGO_TARGET_DIR", "target"), @root)
    args = ~w(build --release --locked --package #{@crate} --target-dir) ++ [target]
    Mix.shell().info("Compiling the native library of Etsunami (cargo build --release)")

    case System.cmd(cargo, args, cd: @root, stderr_to_stdout: true, into: IO.stream()) do
      {_output, 0} -> {:ok, built(target)}
      {_output, status} -> build_failed(status)
    end
  end

  defp build_failed(status) do
    message = "cargo could not build the native library of Etsunami (exit status #{status})."
    Mix.shell().error(message)

    diagnostic = %Mix.Task.Compiler.Diagnostic{
      compiler_name: "etsunami_nif",
      file: Path.join(@root, "Cargo.toml"),
      message: message,
      position: nil,
      severity: :error
    }

    {:error, [diagnostic]}
  end

  defp built(target) do
    platform = System.get_env("CARGO_BUILD_TARGET", "")
    Path.join([target, platform, "release", built_name(:os.type())])
  end

  defp built_name({:win32, _name}), do: "#{@crate}.dll"
  defp built_name({:unix, :darwin}), do: "lib#{@crate}.dylib"
  defp built_name({:unix, _name}), do: "lib#{@crate}.so"

  # The tool

  defp cargo do
    cargo = System.find_executable("cargo") || Mix.raise("Etsunami needs #{wanted()}.")
    {output, status} = System.cmd(cargo, ["--version"], cd: @root, stderr_to_stdout: true)

    case Regex.run(~r/^cargo (\d+\.\d+\.\d+)/m, output) do
      [_line, version] when status == 0 -> check_version(cargo, version)
      _other -> Mix.raise("Etsunami needs #{wanted()}; cargo said: #{String.trim(output)}")
    end
  end

  defp check_version(cargo, version) do
    if Version.compare(version, minimum_version()) == :lt do
      Mix.raise("Etsunami needs #{wanted()}; cargo #{version} is too old.")
    end

    cargo
  end

  defp wanted do
    "Rust #{minimum_version()} or newer (cargo in the PATH) or a prebuilt library " <>
      "named by ETSUNAMI_NIF_PATH"
  end

  defp minimum_version do
    [_line, major, minor] =
      Regex.run(
        ~r/^rust-version = "(\d+)\.(\d+)[.\d]*"/m,
        File.read!(Path.join(@root, "Cargo.toml"))
      )

    "#{major}.#{minor}.0"
  end

  # The place in the priv directory

  # A virtual machine may run on the file that is there. Renaming gives the new library its own
  # inode, so that the mapped one stays as it is.
  defp install(library) do
    installed = installed()
    temporary = installed <> ".#{System.pid()}"
    File.mkdir_p!(Path.dirname(installed))
    File.cp!(library, temporary)
    File.rename!(temporary, installed)
  end

  # On every Unix the virtual machine looks for ".so".
  defp installed do
    extension = if match?({:win32, _name}, :os.type()), do: ".dll", else: ".so"
    Path.join([Mix.Project.app_path(), "priv", "lib" <> @crate <> extension])
  end

  # What has been built from what

  defp up_to_date?(fingerprint) do
    read_manifest() == {@manifest_version, fingerprint, stamp(installed())} and
      File.exists?(installed())
  end

  defp read_manifest do
    manifest() |> File.read!() |> :erlang.binary_to_term()
  rescue
    _error -> nil
  end

  defp write_manifest(fingerprint) do
    File.mkdir_p!(Path.dirname(manifest()))
    term = {@manifest_version, fingerprint, stamp(installed())}
    File.write!(manifest(), :erlang.term_to_binary(term))
  end

  defp manifest, do: Path.join(Mix.Project.manifest_path(), @manifest)

  defp fingerprint do
    variables = Enum.map(@variables, &System.get_env/1)
    prebuilt = System.get_env("ETSUNAMI_NIF_PATH", "")
    {:erlang.system_info(:system_architecture), variables, stamp(prebuilt), sources()}
  end

  defp sources do
    @sources
    |> Enum.flat_map(&Path.wildcard(Path.join(@root, &1), match_dot: true))
    |> Enum.uniq()
    |> Enum.map(&{Path.relative_to(&1, @root), stamp(&1)})
  end

  defp stamp(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> {stat.mtime, stat.size}
      {:error, reason} -> reason
    end
  end
end
