# Loads what the whole benchmark is made of, in an order in which nothing is missing.

for name <- ~w(
      attempt pairs cell row machine progress shapes data operations contender plan matrix load
      latency lifecycle stall weak values searches kinds hold hold_cases hold_rows memory budgets
      report chart/svg chart/heat chart/lines chart/dumbbells charts run
    ) do
  Code.require_file("#{name}.ex", __DIR__)
end
