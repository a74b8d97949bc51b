# Runs the tests of the codec without Mix: elixir test/codec_check.exs, after
# `cargo build --release -p etsunami_nif`.
defmodule Etsunami.Native do
  @moduledoc false
  @on_load :load
  def load do
    library = Path.expand("../target/release/libetsunami_nif", __DIR__)
    :erlang.load_nif(String.to_charlist(library), 0)
  end

  def codec_roundtrip(_term), do: :erlang.nif_error(:not_loaded)
  def codec_compare(_a, _b), do: :erlang.nif_error(:not_loaded)
  def codec_equal(_a, _b), do: :erlang.nif_error(:not_loaded)
  def codec_hash(_term, _seed), do: :erlang.nif_error(:not_loaded)
  def codec_cost(_term, _times), do: :erlang.nif_error(:not_loaded)
end

ExUnit.start()
Code.require_file("term_test.exs", __DIR__)
