# Makes the sample database for machines without dpkg and apt: invented packages in the format
# of dpkg's status file, with sections, sizes, alternatives and virtual packages as on a real
# machine. The same every time.
#
#     elixir demo/sample/make.exs > demo/sample/packages

:rand.seed(:exsss, {2, 3, 5})

pick = fn list -> Enum.random(list) end
sections = ~w(libs libdevel python doc perl admin net games editors)
maintainers = for n <- 1..25, do: "Maintainer #{n} <maintainer#{n}@example.org>"
words = ~w(amber birch cedar delta ember flint grove heath iris jade kelp lotus maple nectar opal)
kinds = ~w(core utils data tools common server client)

names =
  for(word <- words, kind <- kinds, n <- 1..3, do: "#{word}-#{kind}#{n}") |> Enum.take_random(300)

# A package names only packages before it, and prefers the first ones, as everybody needs libc.
dependency = fn before ->
  one = fn -> Enum.at(before, trunc(length(before) * :math.pow(:rand.uniform(), 3))) end

  case :rand.uniform(6) do
    1 -> "#{one.()} | #{one.()}"
    2 -> "#{one.()} (>= 1.#{:rand.uniform(9)})"
    3 -> "virtual-#{pick.(words)}"
    4 -> "#{one.()}:any"
    _ -> one.()
  end
end

names
|> Enum.with_index()
|> Enum.each(fn {name, index} ->
  before = Enum.take(names, index)
  depends = for _ <- 1..min(index, :rand.uniform(5))//1, do: dependency.(before)

  IO.puts("Package: #{name}")
  IO.puts("Status: install ok installed")
  IO.puts("Section: #{pick.(sections)}")
  IO.puts("Installed-Size: #{trunc(:math.exp(:rand.uniform() * 15))}")
  IO.puts("Maintainer: #{pick.(maintainers)}")
  IO.puts("Version: 1.#{:rand.uniform(9)}-#{:rand.uniform(3)}")
  if depends != [], do: IO.puts("Depends: #{Enum.join(depends, ", ")}")
  if rem(index, 10) == 0, do: IO.puts("Provides: virtual-#{pick.(words)} (= 1.0)")
  IO.puts("")
end)
