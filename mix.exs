Code.require_file("mix/etsunami_compiler.exs", __DIR__)

defmodule Etsunami.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :etsunami,
      version: @version,
      elixir: "~> 1.14",
      description: "ETS-compatible in-memory tables, written in Rust",
      compilers: [:etsunami_nif | Mix.compilers()],
      elixirc_paths: elixirc_paths(Mix.env()),
      elixirc_options: [warnings_as_errors: Mix.env() == :test],
      start_permanent: Mix.env() == :prod,
      deps: [],
      aliases: aliases(),
      preferred_cli_env: [ci: :test],
      package: package(),
      docs: docs()
    ]
  end

  def application do
    [extra_applications: []]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(:otp), do: ["lib", "test/otp/lib"]
  defp elixirc_paths(_env), do: ["lib"]

  defp aliases do
    [
      "rust.fmt": ["cmd cargo fmt --all --check"],
      "rust.lint": ["cmd cargo clippy --workspace --all-targets --locked -- -D warnings"],
      ci: ["format --check-formatted", "rust.fmt", "rust.lint", "test"]
    ]
  end

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{},
      files:
        ~w(lib mix mix.exs .formatter.exs .cargo native Cargo.toml Cargo.lock rustfmt.toml) ++
          ~w(README.md CHANGELOG.md ARCHITECTURE.md LICENSE benches/elixir)
    ]
  end

  # What ExDoc reads where it is installed; the project itself depends on no package.
  defp docs do
    [
      main: "Etsunami",
      source_ref: "v#{@version}",
      groups_for_docs: [
        "Tables and owners": &(&1[:group] == :table),
        Reading: &(&1[:group] == :read),
        Writing: &(&1[:group] == :write),
        Updating: &(&1[:group] == :update),
        Traversing: &(&1[:group] == :traverse),
        Matching: &(&1[:group] == :match),
        "Match specifications": &(&1[:group] == :match_spec),
        "Files, dets and qlc": &(&1[:group] == :files),
        Information: &(&1[:group] == :info)
      ]
    ]
  end
end
