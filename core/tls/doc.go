// Package tls speaks TLS over the event loop: crypto/tls does the protocol,
// [Conn] lets it wait by parking the fiber, and a [Context] says what nginx and
// OpenSSL let a configuration say (ngx_event_openssl.c): certificates in files,
// cipher strings, curves, session caches and tickets shared by the workers,
// client certificates with OpenSSL's verdicts, stapled responses.
//
// # Waiting
//
// A handshake runs in the connection's fiber, which parks whenever the peer is
// to speak. After it no call of crypto/tls waits: what is received comes from
// the socket only as far as it is there, and what is sent goes to memory when
// the socket is full. So a connection that idles holds no fiber and no buffer.
//
// What does keep others waiting are signatures, which are made on the loop as
// nginx makes them, one for each handshake that is not resumed: some 0.05 ms
// with ECDSA P-256, 1.1 ms with RSA of 2048 bits, 9 ms with 4096 (OpenSSL 3 on
// the same machine: 0.03, 0.4 and 5 ms). Another thread would not make them
// cheaper. Certificates whose names have variables are read on the loop too,
// unless ssl_certificate_cache keeps them.
//
// # Differences from OpenSSL
//
//   - SSLv2, SSLv3, finite-field Diffie-Hellman, CCM, ARIA, CAMELLIA, PSK and
//     SRP ciphers do not exist: they are accepted in cipher strings, with a
//     warning when they are named one by one.
//   - Renegotiation is always refused, compression never offered.
//   - 0-RTT data is never accepted; clients send it again after the handshake.
//   - TLSv1.2 sessions are resumed by tickets only. With ssl_session_tickets
//     off the ticket is the number of a session in the cache.
//   - The ciphers of TLSv1.3 are always all three.
//   - Certificates are not compressed.
//   - Of an encrypted ClientHello hooks see the outer one, beside the server
//     name that is hidden in it.
//
// What fails is reported in the words of OpenSSL 3, as they are what people
// look for (see [Error]).
package tls
