// Package backends tests the server in front of real applications: gRPC services
// and HTTP/2 servers in Go, PHP-FPM, uWSGI, memcached and nginx; and Lua code in
// front of redis, memcached and MariaDB, killed and restarted under load. What is
// not installed is skipped. Only tests live here.
package backends
