defmodule Etsunami.DependencyTest do
  # Etsunami as other projects see it. It takes a while, as the library is built anew:
  # mix test --only dependency
  use ExUnit.Case, async: false

  @moduletag :dependency
  @moduletag timeout: 900_000

  @root Path.expand("..", __DIR__)

  @program ~S"""
  table = Etsunami.new(:table, [:ordered_set, :public])
  Etsunami.insert(table, [{2, :b}, {1, :a}])
  IO.puts("contents: " <> inspect(Etsunami.tab2list(table)))
  """

  setup do
    directory = Path.join(System.tmp_dir!(), "etsunami-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    {:ok, directory: Path.expand(directory)}
  end

  test "a path dependency", %{directory: directory} do
    project = new_project(directory, path: @root)
    # With what other builds have left there, this one is short.
    environment = [{"CARGO_TARGET_DIR", Path.join(@root, "target")}]
    assert mix!(project, ["run", "-e", @program], environment) =~ "contents: [{1, :a}, {2, :b}]"

    # The second time there is nothing to do.
    refute mix!(project, ["run", "-e", @program], environment) =~ "cargo build"
  end

  test "a git dependency", %{directory: directory} do
    project = new_project(directory, git: clone(directory))
    mix!(project, ["deps.get"])
    environment = stand_in(directory)
    assert mix!(project, ["run", "-e", @program], environment) =~ "contents: [{1, :a}, {2, :b}]"
    refute mix!(project, ["run", "-e", @program], environment) =~ "cargo build"
  end

  test "a package of the files that mix.exs names, with flags of the user", %{
    directory: directory
  } do
    project = new_project(directory, path: package(directory))
    # They are added to ours, and a pair of integers still takes three words.
    flags = [{"CFLAGS", "-DUSERS_OWN"}, {"RUSTFLAGS", "--cfg users_own"}]

    program = """
    #{@program}
    words = Etsunami.Native.codec_block(3)
    IO.puts("a block of three words: \#{words} bytes")
    """

    output = mix!(project, ["run", "-e", program], flags)
    assert output =~ "contents: [{1, :a}, {2, :b}]"
    assert output =~ "a block of three words: 24 bytes"
    assert File.exists?(Path.join(directory, "etsunami/README.md"))
    assert File.exists?(Path.join(directory, "etsunami/CHANGELOG.md"))
  end

  describe "where cargo builds:" do
    test "below the directory of the project's builds", %{directory: directory} do
      source = clone(directory)
      project = new_project(directory, path: source)
      mix!(project, ["compile"], stand_in(directory))
      refute File.exists?(Path.join(source, "target"))
      assert File.exists?(Path.join(project, "_build/etsunami_nif/release/libetsunami_nif.so"))
    end

    test "in MIX_BUILD_PATH", %{directory: directory} do
      project = new_project(directory, path: clone(directory))
      build = Path.join(directory, "elsewhere")
      mix!(project, ["compile"], [{"MIX_BUILD_PATH", build} | stand_in(directory)])
      assert File.exists?(Path.join(build, "etsunami_nif/release/libetsunami_nif.so"))
    end

    # `build.target` of a Cargo configuration does this.
    test "below the name of a platform", %{directory: directory} do
      project = new_project(directory, path: clone(directory))
      build = Path.join(project, "_build/etsunami_nif")
      old = Path.join(build, "release/libetsunami_nif.so")
      File.mkdir_p!(Path.dirname(old))
      File.write!(old, "an older build without a platform")

      mix!(project, ["compile"], [{"STAND_IN_PLATFORM", "some-platform"} | stand_in(directory)])
      new = Path.join(build, "some-platform/release/libetsunami_nif.so")
      installed = Path.join(project, "_build/dev/lib/etsunami/priv/libetsunami_nif.so")
      assert File.read!(installed) == File.read!(new)
      refute File.exists?(old)
    end

    test "nowhere", %{directory: directory} do
      project = new_project(directory, path: clone(directory))
      environment = stand_in(directory) ++ [{"STAND_IN_LIBRARY", ""}]
      assert {output, status} = mix(project, ["compile"], environment)
      assert status != 0
      assert output =~ ~r/cargo has left no libetsunami_nif.so in .*etsunami_nif/
    end
  end

  for name <- ["job[1]", "a{b,c}", "x*y", "q?z", "with a space"] do
    test "a changed source is noticed below #{name}", %{directory: directory} do
      directory = Path.join(directory, unquote(name))
      File.mkdir_p!(directory)
      source = clone(directory)
      project = new_project(directory, path: source)
      environment = stand_in(directory)
      assert mix!(project, ["compile"], environment) =~ "cargo build"
      refute mix!(project, ["compile"], environment) =~ "cargo build"
      File.write!(Path.join(source, "native/etsunami_nif/src/lib.rs"), "// changed", [:append])
      assert mix!(project, ["compile"], environment) =~ "cargo build"
    end
  end

  test "a library that cannot be loaded", %{directory: directory} do
    ebin = Path.join(directory, "etsunami/ebin")
    File.mkdir_p!(Path.dirname(ebin))
    File.cp_r!(Application.app_dir(:etsunami, "ebin"), ebin)

    program = """
    for _ <- 1..2 do
      try do
        Etsunami.new(:table, [])
      rescue
        error -> IO.puts(Exception.message(error))
      end
    end
    """

    {output, 0} = System.cmd("elixir", ["-pa", ebin, "-e", program], stderr_to_stdout: true)
    reason = ~r/native library of Etsunami could not be loaded: .*No such file or directory/
    assert length(Regex.scan(reason, output)) == 2
  end

  test "a prebuilt library", %{directory: directory} do
    library = Application.app_dir(:etsunami, "priv/libetsunami_nif.so")
    project = new_project(directory, path: @root)

    # Neither the tools nor a target directory are needed then.
    environment = [{"ETSUNAMI_NIF_PATH", library}, {"CARGO_TARGET_DIR", directory}]
    output = mix!(project, ["run", "-e", @program], environment)
    assert output =~ "contents: [{1, :a}, {2, :b}]"
    refute output =~ "cargo build"
  end

  test "a prebuilt library, relative to the project", %{directory: directory} do
    project = new_project(directory, path: @root)
    library = Path.join(project, "prebuilt/library.so")
    File.mkdir_p!(Path.dirname(library))
    File.cp!(Application.app_dir(:etsunami, "priv/libetsunami_nif.so"), library)
    environment = [{"ETSUNAMI_NIF_PATH", "prebuilt/library.so"}]
    assert mix!(project, ["run", "-e", @program], environment) =~ "contents: [{1, :a}, {2, :b}]"
  end

  test "a prebuilt library that is not there", %{directory: directory} do
    project = new_project(directory, path: @root)
    environment = [{"ETSUNAMI_NIF_PATH", Path.join(directory, "missing.so")}]
    assert {output, status} = mix(project, ["compile"], environment)
    assert status != 0
    assert output =~ ~r/ETSUNAMI_NIF_PATH names ".*missing.so", which is not a file/
  end

  test "no cargo", %{directory: directory} do
    project = new_project(directory, path: @root)
    assert {output, status} = mix(project, ["compile"], [{"PATH", path_without_cargo(directory)}])
    assert status != 0
    assert output =~ "Etsunami needs Rust"
    refute output =~ "too old"
  end

  test "an old cargo", %{directory: directory} do
    project = new_project(directory, path: @root)
    old = Path.join(directory, "old")
    File.mkdir_p!(old)

    File.write!(
      Path.join(old, "cargo"),
      "#!/bin/sh\necho 'cargo 1.60.0 (d1fd9fe2c 2022-03-01)'\n"
    )

    File.chmod!(Path.join(old, "cargo"), 0o755)
    environment = [{"PATH", old <> ":" <> System.get_env("PATH")}]
    assert {output, status} = mix(project, ["compile"], environment)
    assert status != 0
    assert output =~ "cargo 1.60.0 is too old"
  end

  defp new_project(directory, dependency) do
    project = Path.join(directory, "user")
    File.mkdir_p!(Path.join(project, "lib"))

    File.write!(Path.join(project, "mix.exs"), """
    defmodule User.MixProject do
      use Mix.Project

      def project do
        [app: :user, version: "0.1.0", deps: [{:etsunami, #{inspect(dependency)}}]]
      end
    end
    """)

    project
  end

  # What is committed of this checkout.
  defp clone(directory) do
    clone = Path.join(directory, "etsunami")
    git!(["clone", "--quiet", @root, clone])
    clone
  end

  # What a package on hex.pm would have of it.
  defp package(directory) do
    package = Path.join(directory, "etsunami")

    for file <- Mix.Project.config()[:package][:files] do
      File.mkdir_p!(Path.join(package, Path.dirname(file)))
      File.cp_r!(Path.join(@root, file), Path.join(package, file))
    end

    package
  end

  # A stand-in for cargo, which answers as it does and takes the library of this test.
  defp stand_in(directory) do
    cargo = Path.join(directory, "stand_in/cargo")
    File.mkdir_p!(Path.dirname(cargo))

    File.write!(cargo, """
    #!/bin/sh
    if [ "$1" = --version ]; then echo "cargo 1.95.0 (000000000 2026-01-01)"; exit 0; fi
    while [ "$1" != --target-dir ]; do shift; done
    out=$2/$STAND_IN_PLATFORM/release
    mkdir -p "$out"
    if [ -n "$STAND_IN_LIBRARY" ]; then cp "$STAND_IN_LIBRARY" "$out/libetsunami_nif.so"; fi
    """)

    File.chmod!(cargo, 0o755)

    [
      {"PATH", Path.dirname(cargo) <> ":" <> System.get_env("PATH")},
      {"STAND_IN_LIBRARY", Application.app_dir(:etsunami, "priv/libetsunami_nif.so")}
    ]
  end

  defp path_without_cargo(directory) do
    tools = Path.join(directory, "tools")
    File.mkdir_p!(tools)

    for tool <- ~w(mix elixir erl sh sed dirname basename readlink expr uname),
        path = System.find_executable(tool) do
      File.ln_s!(path, Path.join(tools, tool))
    end

    tools
  end

  defp mix!(project, arguments, environment \\ []) do
    {output, status} = mix(project, arguments, environment)
    assert status == 0, output
    output
  end

  # A project of its own, not the environment of the test.
  defp mix(project, arguments, environment) do
    environment = [{"MIX_ENV", "dev"}, {"ETSUNAMI_NIF_PATH", nil} | environment]
    System.cmd("mix", arguments, cd: project, env: environment, stderr_to_stdout: true)
  end

  defp git!(arguments) do
    {output, status} = System.cmd("git", arguments, stderr_to_stdout: true)
    assert status == 0, output
  end
end
