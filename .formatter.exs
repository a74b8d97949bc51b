[
  inputs: ["{mix,.formatter}.exs", "{lib,mix,test,demo,benches}/**/*.{ex,exs}"],
  line_length: 98,
  locals_without_parens: [
    assert_same: 2,
    assert_same: 3,
    table_test: 3,
    table_test: 4,
    assert_badarg: 1
  ]
]
