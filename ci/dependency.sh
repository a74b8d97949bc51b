#!/usr/bin/env bash
# Can another Mix project use Etsunami as a dependency, library build included?
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project"

cat >mix.exs <<PROJECT
defmodule User.MixProject do
  use Mix.Project

  def project, do: [app: :user, version: "0.1.0", deps: [{:etsunami, path: "$root"}]]
  def application, do: [extra_applications: [:logger]]
end
PROJECT

mkdir lib
cat >lib/user.ex <<'MODULE'
defmodule User do
  def visits do
    table = Etsunami.new(:visits, [:set, :public])
    true = Etsunami.insert(table, {"home", 41})
    Etsunami.update_counter(table, "home", 1)
  end
end
MODULE

answer=$(MIX_ENV=prod mix do compile, run -e 'IO.puts("visits: #{User.visits()}")' </dev/null | tail -1)
if [ "$answer" != "visits: 42" ]; then
  echo "a project that depends on Etsunami answered: $answer" >&2
  exit 1
fi
echo "Etsunami works as a dependency."
