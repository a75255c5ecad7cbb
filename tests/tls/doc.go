// Package tls tests TLS over the network, where no tool can say what a test
// needs. Only tests live here.
package tls
