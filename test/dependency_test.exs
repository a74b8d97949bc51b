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
    assert mix!(project, ["run", "-e", @program]) =~ "contents: [{1, :a}, {2, :b}]"

    # The second time there is nothing to do.
    refute mix!(project, ["run", "-e", @program]) =~ "cargo build"
  end

  test "a git dependency", %{directory: directory} do
    clone = Path.join(directory, "etsunami")
    git!(["clone", "--quiet", @root, clone])
    project = new_project(directory, git: clone)
    mix!(project, ["deps.get"])
    assert mix!(project, ["run", "-e", @program]) =~ "contents: [{1, :a}, {2, :b}]"
    refute mix!(project, ["run", "-e", @program]) =~ "cargo build"
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
