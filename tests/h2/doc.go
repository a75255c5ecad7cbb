// Package h2 tests HTTP/2 over the network, where a specification of exchanges
// does not do: conformance by h2spec, what attackers cost, reloads under load.
// Only tests live here.
package h2
