package http

import "moongate/conf"

// Statement is a directive that acts in its place among "set", "if" and
// "rewrite", such as set_by_lua. Declined goes on with the next one, anything
// else ends the script and is its verdict.
type Statement func(r *Request) Verdict

// AddStatement appends to the script of the block being read, which the
// rewrite module runs.
func AddStatement(cf *conf.Conf, s Statement) { MainOf(cf).AppendStatement(cf, s) }
