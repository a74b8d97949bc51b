defmodule Etsunami.DocTest do
  use ExUnit.Case, async: false

  @moduletag :library

  doctest Etsunami
  doctest Etsunami.Table
end
