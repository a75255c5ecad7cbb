// Package upstream speaks with the servers behind: it chooses a peer, connects
// or takes a kept connection, sends the request, reads the response header,
// asks another peer where that failed, and passes the body on to the client.
// It is nginx's ngx_http_upstream.c with its round-robin balancer, connection
// cache and event pipe; what is particular to a protocol (HTTP, FastCGI, …)
// belongs to the modules, which implement [Protocol].
//
// An exchange is straight-line code in the request's fiber. Only a response
// that does not come at one go is read by a second fiber, so that a slow client
// does not keep the peer busy.
package upstream
