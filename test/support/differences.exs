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
    name: :map_in_key_pattern,
    before: "14.2.5",
    reason:
      "a map without variables in the key of a pattern was taken for the key itself, and did " <>
        "not match keys whose map has more in it"
  },
  %{
    name: :continuation_by_name,
    before: :never,
    reason:
      "a continuation of a named ordered_set of :ets holds the name, and goes on in whatever " <>
        "table has the name then"
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
    name: :take_of_fixed_bag,
    before: :never,
    reason:
      "take of :ets counts objects of a fixed bag once more that were deleted before, and the " <>
        "size is wrong then, even below zero"
  },
  %{
    name: :protection_after_yield,
    before: :never,
    reason:
      "a call of :ets that yields while it writes, such as insert of a list into a bag, gives the " <>
        "table the access back that it was made with, whatever setopts/2 has changed"
  },
  %{
    name: :ghost_of_failed_default,
    before: :never,
    reason:
      "update_counter/4 of :ets that fails after it has put the default object into a fixed " <>
        "table leaves its key behind as a deleted one, which next/2 knows then"
  },
  %{
    name: :transfer_after_exit,
    before: :never,
    reason:
      "an heir may get 'ETS-TRANSFER' after the EXIT or DOWN of the owner, which :ets sends later; " <>
        "it owns the table as soon as it has seen either"
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
  },
  %{
    name: :browser_expression_end,
    before: :never,
    reason: "the browser of i/1 in :ets takes a $ at the end of a regular expression away"
  },
  %{
    name: :references_as_objects,
    before: :never,
    reason:
      "insert and insert_new of :ets take some references (of counters, tables, compiled " <>
        "specifications) for the rest of an interrupted call, and do not look at the table first"
  },
  %{
    name: :exceptions_in_files,
    before: :never,
    reason:
      "file2tab of :ets with verify takes an object {'EXIT', Term} for one that cannot be decoded, " <>
        "and its own file for a broken one"
  },
  %{
    name: :log_is_truncated,
    before: "15.0.0",
    reason:
      "tab2file opens its log with {repair, truncate}, as newer releases do; it is seen in the " <>
        "error that names the options"
  },
  %{
    name: :binary_part_of_bits,
    before: "15.0.0",
    reason: "binary_part took the whole bytes of a bit string; later it fails"
  },
  %{
    name: :order_of_maps_in_keys,
    before: :never,
    reason:
      "from OTP 26 on the virtual machine compares maps that stand in keys of maps by the numbers " <>
        "of their atoms; the order of keys here is that of the texts, as the documentation has it"
  },
  %{
    name: :faults_in_keys_of_maps,
    before: "15.0.0",
    reason: "test_ms told the faults in the keys of a map twice if the values were constants"
  },
  %{
    name: :faults_in_large_maps,
    before: :never,
    reason:
      "test_ms of :ets tells the faults in a map of more than 32 pairs in the order of its " <>
        "hash table, and some of them twice"
  },
  %{
    name: :deep_specifications,
    before: :never,
    reason: "a match specification nested deeper than the stack of :ets allows is a system_limit"
  },
  %{
    name: :name_resolved_once,
    before: "16.2.0",
    reason:
      "init_table, tab2file, to_dets, from_dets, table and i went on with another table that " <>
        "got the name meanwhile"
  }
]
