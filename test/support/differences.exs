# Where Etsunami, which follows the newest release of Erlang/OTP, differs from the `:ets` of an
# older one. Nothing else may differ.
#
# `before` is the first version of the runtime system (erts) whose `:ets` behaves as Etsunami
# does: 13.2 is OTP 25.3, 14.0 OTP 26, 15.0 OTP 27, 16.0 OTP 28, 17.0 OTP 29. `:never` means that
# no release does.
[
  %{
    name: :bag_list_order,
    before: "13.2.0",
    reason: "a list was inserted from its end, so that objects of one key were in reverse order"
  },
  %{
    name: {:lookup_element, 4},
    before: "14.0.0",
    reason: "the function is new in OTP 26"
  },
  %{
    name: {:first_lookup, 1},
    before: "15.0.0",
    reason: "the function is new in OTP 27"
  },
  %{
    name: {:last_lookup, 1},
    before: "15.0.0",
    reason: "the function is new in OTP 27"
  },
  %{
    name: {:next_lookup, 2},
    before: "15.0.0",
    reason: "the function is new in OTP 27"
  },
  %{
    name: {:prev_lookup, 2},
    before: "15.0.0",
    reason: "the function is new in OTP 27"
  },
  %{
    name: {:update_element, 4},
    before: "15.0.0",
    reason: "the function is new in OTP 27"
  },
  %{
    name: :heir_without_data,
    before: "16.0.0",
    reason: "the option {heir, Pid} is new in OTP 28"
  },
  %{
    name: :default_always_checked,
    before: "17.0.0",
    reason:
      "a default object shorter than the key position was looked at only if the key was " <>
        "missing, and could end the virtual machine then"
  },
  %{
    name: :huge_position,
    before: :never,
    reason:
      "lookup_element of :ets cuts a position to 32 bits, and may read beyond the object then"
  },
  %{
    name: :huge_keypos,
    before: :never,
    reason: "info/2 of :ets cuts a key position to 32 bits"
  },
  %{
    name: :slot_of_empty,
    before: :never,
    reason:
      "slot 0 of an empty ordered_set is the end of the table, but badarg in :ets with " <>
        "write_concurrency"
  },
  %{
    name: :tables_in_erlang_memory,
    before: :never,
    reason: "erlang:memory(ets) counts only what the tables of :ets take"
  },
  %{
    name: :engine,
    before: :never,
    reason:
      "the option {engine, Engine} and the items engine and stats of info/2 are Etsunami's own"
  }
]
