package tls

import (
	"bytes"
	gotls "crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// clientHello returns the bytes that crypto/tls begins with.
func clientHello(t testing.TB, cfg *gotls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = gotls.Client(client, cfg).Handshake()
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	server.Close()
	<-done
	return append(head, body...)
}

// TestClientHello reads what crypto/tls writes.
func TestClientHello(t *testing.T) {
	stream := clientHello(t, &gotls.Config{ServerName: "example.com", NextProtos: []string{"h2"}, InsecureSkipVerify: true})
	h, ok := ParseClientHello(firstMessage(stream))
	if !ok || h.Version != 0x0303 || len(h.Random) != 32 {
		t.Fatalf("parsed %+v, %v", h, ok)
	}
	name, found, ok := h.ServerName()
	if string(name) != "example.com" || !found || !ok {
		t.Errorf("the name is %q, %v, %v", name, found, ok)
	}
	if alpn, _ := h.Extension(16); string(alpn) != "\x00\x03\x02h2" {
		t.Errorf("ALPN is %q", alpn)
	}
	// The same message in records of a byte each, and what follows.
	var split []byte
	for _, b := range stream[5:] {
		split = append(split, 22, 3, 1, 0, 1, b)
	}
	if got := firstMessage(append(split, 22, 3, 3, 0, 1, 9)); !bytes.Equal(got, stream[5:]) {
		t.Error("split records give another message")
	}
	for n := range len(stream) {
		if firstMessage(stream[:n]) != nil {
			t.Fatalf("a message out of %d bytes of %d", n, len(stream))
		}
	}
}

// TestServerName reads extensions as OpenSSL does.
func TestServerName(t *testing.T) {
	for _, c := range []struct {
		data string
		name string
		ok   bool
	}{
		{"\x00\x06\x00\x00\x03abc", "abc", true},
		{"\x00\x07\x00\x00\x03abc", "", false},    // the list is longer than the extension
		{"\x00\x06\x01\x00\x03abc", "abc", false}, // not a host name
		{"\x00\x03\x00\x00\x00", "", false},       // an empty one
		{"\x00\x07\x00\x00\x03abcx", "abc", true}, // a second entry is not looked at
		{"", "", false}, {"\x00", "", false}, {"\x00\x00", "", false},
	} {
		h := ClientHello{Extensions: []Extension{{ExtServerName, []byte(c.data)}}}
		if name, found, ok := h.ServerName(); ok != c.ok || !found || ok && string(name) != c.name {
			t.Errorf("%q: %q, %v, %v", c.data, name, found, ok)
		}
	}
	if _, found, ok := new(ClientHello).ServerName(); found || !ok {
		t.Error("a name without the extension")
	}
}

func TestGREASE(t *testing.T) {
	n := 0
	for id := range 0x10000 {
		if IsGREASE(uint16(id)) {
			n++
		}
	}
	if n != 16 || !IsGREASE(0x2a2a) || IsGREASE(0x2a3a) {
		t.Errorf("%d numbers are GREASE", n)
	}
}

func FuzzClientHello(f *testing.F) {
	f.Add(clientHello(f, &gotls.Config{ServerName: "a.b", MaxVersion: gotls.VersionTLS12}))
	f.Add(clientHello(f, &gotls.Config{InsecureSkipVerify: true}))
	f.Add([]byte("\x16\x03\x01\x00\x04\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		message := firstMessage(stream)
		if len(message) > len(stream) {
			t.Fatal("a message longer than what came")
		}
		for _, b := range [][]byte{message, stream} {
			h, ok := ParseClientHello(b)
			if !ok {
				continue
			}
			total := len(h.Random) + len(h.SessionID) + len(h.Ciphers)
			for _, e := range h.Extensions {
				total += 4 + len(e.Data)
			}
			if total > len(b) || len(h.Random) != 32 {
				t.Fatalf("%d bytes parsed out of %d", total, len(b))
			}
			h.ServerName()
		}
	})
}
