// Package backends tests the server in front of real applications: gRPC services
// and HTTP/2 servers in Go, PHP-FPM, uWSGI, memcached and nginx. What is not
// installed is skipped. Only tests live here.
package backends
