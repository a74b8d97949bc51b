defmodule Mix.Tasks.Compile.EtsunamiNif do
  @moduledoc """
  Builds the native library of Etsunami with Cargo and puts it into the priv directory.

  The task is defined by a script that `mix.exs` requires, because a project cannot use a
  compiler that it compiles itself; so it is there as well when Etsunami is a dependency of
  another project.

  Cargo runs only if a source of the library, an environment variable that matters to the build,
  or the library itself has changed since the last time.

  ## Environment

    * `ETSUNAMI_NIF_PATH` - a prebuilt library to install; Cargo is not needed then. A relative
      path is relative to the directory of the project's `mix.lock`.
    * `CARGO_TARGET_DIR` - where Cargo builds. By default `target` beside `Cargo.toml` in a
      checkout of Etsunami, and a directory below the project's `_build` in a dependency, which may
      be read-only.
    * `CARGO_BUILD_TARGET` - the platform to build for; `build.target` in a Cargo configuration
      works too
    * `RUSTFLAGS`, `CFLAGS` - flags of your own, which are added to those of Etsunami

  """

  use Mix.Task.Compiler

  @recursive true
  @root Path.expand("..", __DIR__)
  @crate "etsunami_nif"
  @manifest "compile.etsunami_nif"
  @manifest_version 2

  # Patterns below the root of everything that the library is made of.
  @sources [
    ~c"Cargo.{toml,lock}",
    ~c"rust-toolchain{,.toml}",
    ~c".cargo/config{,.toml}",
    ~c"native/**/*.{rs,toml}"
  ]

  @variables ~w(
    ETSUNAMI_NIF_PATH CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    RUSTUP_TOOLCHAIN CC
  )

  # The flags that the library's figures depend on. They are arguments of the commands, not settings
  # of a Cargo configuration, which RUSTFLAGS, CFLAGS or a user's own configuration would replace.
  #
  # The engines call the closures that change a table too often for the compiler to inline them
  # unasked. As calls they return structs field by field that are then copied as a whole, and the
  # processor waits for those stores. With the compiler's own threshold updates of a hot key are a
  # tenth to a quarter slower; above 800 only the library grows.
  @rustc_flags ~w(-Cllvm-args=-inline-threshold=800)
  # mimalloc then rounds sizes up to 8 bytes, not 16: a pair of integers takes 24 bytes, not 32.
  @c_flags "-DMI_MAX_ALIGN_SIZE=8"

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
      path -> prebuilt(Path.expand(path, project_root()))
    end
  end

  # Mix compiles a dependency in the dependency's directory, and tells it the path of the lock file
  # of the project that the user works in.
  defp project_root do
    Mix.Project.config() |> Keyword.get(:lockfile, "mix.lock") |> Path.expand() |> Path.dirname()
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
    target = target_directory()
    # Cargo links these anew even if nothing else has changed, so that what is found afterwards is
    # what this build made, on whatever platform Cargo's configuration names.
    Enum.each(built(target), &File.rm!/1)
    Mix.shell().info("Compiling the native library of Etsunami (cargo build --release)")

    args =
      ~w(rustc --release --locked --lib --package #{@crate} --target-dir) ++
        [target, "--"] ++ @rustc_flags

    options = [cd: @root, env: c_flags(), stderr_to_stdout: true, into: IO.stream()]

    case System.cmd(cargo, args, options) do
      {_output, 0} -> the_one_built(target)
      {_output, status} -> failed("cargo could not build it (exit status #{status}).")
    end
  end

  defp target_directory do
    case System.get_env("CARGO_TARGET_DIR") do
      unset when unset in [nil, ""] -> default_target_directory()
      path -> Path.expand(path, @root)
    end
  end

  defp default_target_directory do
    build_path = Path.expand(Mix.Project.build_path())

    cond do
      # A checkout: the same directory that Cargo's own commands use.
      String.starts_with?(build_path, @root <> "/") -> Path.join(@root, "target")
      System.get_env("MIX_BUILD_PATH") -> Path.join(build_path, @crate)
      # One directory for all environments of a project.
      true -> Path.join(Path.dirname(build_path), @crate)
    end
  end

  # The variables that the C compiler's flags may come from: the most specific one wins, so each of
  # them gets ours.
  defp c_flags do
    given = for {name, flags} <- System.get_env(), c_flags?(name), do: {name, flags}
    for {name, flags} <- [{"CFLAGS", ""} | given], do: {name, String.trim("#{flags} #{@c_flags}")}
  end

  defp c_flags?(name), do: name =~ ~r/^((HOST|TARGET)_)?CFLAGS(_.*)?$/

  defp the_one_built(target) do
    case built(target) do
      [library] -> {:ok, library}
      [] -> failed("cargo has left no #{built_name(:os.type())} in #{target}.")
      several -> failed("cargo has built it for several platforms: #{Enum.join(several, ", ")}.")
    end
  end

  # Libraries in a target directory: below the platform's name where one was named.
  defp built(target) do
    library = "release/#{built_name(:os.type())}"
    Enum.flat_map([library, "*/" <> library], &wildcard(to_charlist(&1), target))
  end

  defp failed(reason) do
    message = "The native library of Etsunami is missing: #{reason}"
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
    prebuilt = stamp(Path.expand(System.get_env("ETSUNAMI_NIF_PATH", ""), project_root()))
    platform = :erlang.system_info(:system_architecture)
    {platform, variables, c_flags(), @rustc_flags, prebuilt, sources()}
  end

  defp sources do
    for pattern <- @sources, path <- wildcard(pattern, @root), uniq: true do
      {Path.relative_to(path, @root), stamp(path)}
    end
  end

  # The files that match a pattern below a directory. `Path.wildcard/2` would take brackets and
  # braces in the directory's own name for a part of the pattern.
  defp wildcard(pattern, directory) do
    for path <- :filelib.wildcard(pattern, to_charlist(directory)),
        do: Path.join(directory, to_string(path))
  end

  defp stamp(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> {stat.mtime, stat.size}
      {:error, reason} -> reason
    end
  end
end
