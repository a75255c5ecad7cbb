// Package differential makes up configurations and requests at random, sends the
// same to Moongate and to a real nginx, and compares what comes back byte by byte.
//
// The dice are seeded, so that a run can be repeated:
//
//	go test ./tests/differential                                       as make test does: a few rounds of each area
//	go test ./tests/differential -args -times 50 -seed 7               a long one
//	go test ./tests/differential -run /rewrite/3 -v -args -seed 7      one configuration of it
//
// The areas keep to what nginx 1.22, Debian's, and the nginx that Moongate follows
// do in the same way; where they leave something out for that, they say so.
package differential
