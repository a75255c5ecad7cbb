package tls

import (
	gotls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// ErrRejected fails a handshake with the alert unrecognized_name
// (ssl_reject_handshake). It is for Context.Select.
var ErrRejected = errors.New("handshake rejected")

// errCertificate is the error of a certificate that could not be loaded, which
// was logged.
var errCertificate = &Error{What: "certificate", Queue: []string{"0A000179:SSL routines::cert cb error"}}

// ErrCertificate is for Context.Certificate, once the reason was logged.
var ErrCertificate error = errCertificate

// Explain says how nginx logs the error of a server's handshake: its level, the
// text and the system error that goes with it, if any. On clients what is of
// level Info is logged as an Error.
func Explain(err error) (level log.Level, text string, cause error) {
	const what = "SSL_do_handshake() failed"
	var errno unix.Errno
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return log.Info, "peer closed connection in SSL handshake", nil
	case errors.As(err, &errno):
		return log.Info, "peer closed connection in SSL handshake", errno
	}
	if err == errVerify {
		level = log.Crit // not one of those that a peer may cause
	} else {
		level = log.Info
	}
	if queue := queueOf(err); queue != nil {
		return level, (&Error{What: what, Queue: queue}).Error(), nil
	}
	return level, (&Error{What: what, Queue: []string{
		"0A000001:SSL routines::" + strings.TrimPrefix(err.Error(), "tls: ")}}).Error(), nil
}

// queueOf translates an error of crypto/tls to OpenSSL's queue of errors, nil
// when there is no counterpart.
func queueOf(err error) []string {
	var own *Error
	if errors.As(err, &own) {
		return own.Queue
	}
	var header gotls.RecordHeaderError
	if errors.As(err, &header) {
		return []string{"0A00010B:SSL routines::wrong version number"}
	}
	text := err.Error()
	if alert, ok := strings.CutPrefix(text, "remote error: tls: "); ok {
		return alertQueue(alert)
	}
	for _, r := range reasons {
		if strings.Contains(text, r.text) {
			return []string{r.queue}
		}
	}
	return nil
}

// reasons are what OpenSSL says in place of crypto/tls.
var reasons = []struct{ text, queue string }{
	{"unsupported versions", "0A000102:SSL routines::unsupported protocol"},
	{"no cipher suite supported", "0A0000C1:SSL routines::no shared cipher"},
	{"doesn't support any of the certificate's signature algorithms", "0A000076:SSL routines::no suitable signature algorithm"},
	{"unsupported application protocols", "0A0000EB:SSL routines::no application protocol"},
	{"no key exchanges supported", "0A000065:SSL routines::no suitable key share"},
	{"inappropriate protocol fallback", "0A000175:SSL routines::inappropriate fallback"},
	{"bad record MAC", "0A000119:SSL routines::decryption failed or bad record mac"},
	{"unexpected handshake message", "0A0000F4:SSL routines::unexpected message"},
	{"unexpected message", "0A0000F4:SSL routines::unexpected message"},
	{"error decoding message", "0A00009F:SSL routines::length mismatch"},
	{"oversized record", "0A0000C6:SSL routines::packet length too long"},
	{"Finished message is incorrect", "0A000095:SSL routines::digest check failed"},
	{"invalid client finished hash", "0A000095:SSL routines::digest check failed"},
	{"invalid client key share", "0A00006C:SSL routines::bad key share"},
	{"too many", "0A000199:SSL routines::too many warn alerts"},
	{"renegotiation", "0A000152:SSL routines::unsafe legacy renegotiation disabled"},
}

// alerts are OpenSSL's reasons for the alerts of a peer, by the text of
// crypto/tls.
var alerts = map[string]struct {
	number int
	reason string
}{
	"close notify": {0, "sslv3 alert close notify"}, "unexpected message": {10, "sslv3 alert unexpected message"},
	"bad record MAC": {20, "sslv3 alert bad record mac"}, "decryption failed": {21, "tlsv1 alert decryption failed"},
	"record overflow": {22, "tlsv1 alert record overflow"}, "decompression failure": {30, "sslv3 alert decompression failure"},
	"handshake failure": {40, "sslv3 alert handshake failure"}, "bad certificate": {42, "sslv3 alert bad certificate"},
	"unsupported certificate": {43, "sslv3 alert unsupported certificate"}, "revoked certificate": {44, "sslv3 alert certificate revoked"},
	"expired certificate": {45, "sslv3 alert certificate expired"}, "unknown certificate": {46, "sslv3 alert certificate unknown"},
	"illegal parameter": {47, "sslv3 alert illegal parameter"}, "unknown certificate authority": {48, "tlsv1 alert unknown ca"},
	"access denied": {49, "tlsv1 alert access denied"}, "error decoding message": {50, "tlsv1 alert decode error"},
	"error decrypting message": {51, "tlsv1 alert decrypt error"}, "export restriction": {60, "tlsv1 alert export restriction"},
	"protocol version not supported": {70, "tlsv1 alert protocol version"},
	"insufficient security level":    {71, "tlsv1 alert insufficient security"}, "internal error": {80, "tlsv1 alert internal error"},
	"inappropriate fallback": {86, "tlsv1 alert inappropriate fallback"}, "user canceled": {90, "tlsv1 alert user cancelled"},
	"no renegotiation": {100, "tlsv1 alert no renegotiation"}, "missing extension": {109, "tlsv13 alert missing extension"},
	"unsupported extension":           {110, "tlsv1 unsupported extension"},
	"certificate unobtainable":        {111, "tlsv1 certificate unobtainable"},
	"unrecognized name":               {112, "tlsv1 unrecognized name"},
	"bad certificate status response": {113, "tlsv1 bad certificate status response"},
	"bad certificate hash value":      {114, "tlsv1 bad certificate hash value"},
	"unknown PSK identity":            {115, "unknown psk identity"},
	"certificate required":            {116, "tlsv13 alert certificate required"},
	"no application protocol":         {120, "no application protocol"},
	"encrypted client hello required": {121, "ech required"},
}

func alertQueue(text string) []string {
	a, ok := alerts[text]
	if !ok {
		return nil
	}
	const reasonOffset = 1000 // SSL_AD_REASON_OFFSET
	return []string{fmt.Sprintf("0A%06X:SSL routines::%s:SSL alert number %d", reasonOffset+a.number, a.reason, a.number)}
}
