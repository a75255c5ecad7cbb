package tls

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// PEM is the certificate in PEM, as $ssl_client_raw_cert.
func PEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Serial is the serial number in hex as OpenSSL's i2a_ASN1_INTEGER prints it.
func Serial(c *x509.Certificate) string {
	n := c.SerialNumber
	b := n.Bytes()
	if len(b) == 0 {
		return "00"
	}
	s := strings.ToUpper(hex.EncodeToString(b))
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// Fingerprint is the SHA1 of the certificate in hex.
func Fingerprint(c *x509.Certificate) string {
	d := sha1.Sum(c.Raw)
	return hex.EncodeToString(d[:])
}

// Time prints a time as ASN1_TIME_print does: "Feb  3 00:55:52 2015 GMT".
func Time(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006") + " GMT" }

// attributeNames are OpenSSL's short names.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
	"2.5.4.15": "businessCategory", "2.5.4.16": "postalAddress", "2.5.4.17": "postalCode", "2.5.4.20": "telephoneNumber",
	"2.5.4.41": "name", "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier",
	"2.5.4.45": "x500UniqueIdentifier", "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym", "2.5.4.72": "role",
	"2.5.4.97": "organizationIdentifier", "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1": "emailAddress", "1.2.840.113549.1.9.2": "unstructuredName",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
	"1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

// attribute is one part of a distinguished name as it is in the certificate.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type attributeSET []attribute

// parseName takes a distinguished name apart without judging its strings.
func parseName(raw []byte) []attributeSET {
	var name []attributeSET
	if _, err := asn1.Unmarshal(raw, &name); err != nil {
		return nil
	}
	return name
}

// Name prints a distinguished name as OpenSSL does with XN_FLAG_RFC2253: the
// last part first, with escapes of RFC 2253, and other than ASCII in hex.
func Name(raw []byte) string {
	var b []byte
	name := parseName(raw)
	for i := len(name) - 1; i >= 0; i-- {
		for j := len(name[i]) - 1; j >= 0; j-- {
			switch {
			case len(b) == 0:
			case j < len(name[i])-1:
				b = append(b, '+')
			default:
				b = append(b, ',')
			}
			a := &name[i][j]
			short, known := attributeNames[a.Type.String()]
			if !known {
				short = a.Type.String()
			}
			b = append(append(b, short...), '=')
			b = appendValue(b, a, known)
		}
	}
	return string(b)
}

// appendValue appends a value, in hex where its type or the OID is unknown.
func appendValue(b []byte, a *attribute, known bool) []byte {
	text, ok := decodeString(a.Value)
	if !ok || !known {
		b = append(b, '#')
		return fmt.Appendf(b, "%X", a.Value.FullBytes)
	}
	for i, c := range []byte(text) {
		switch {
		case strings.IndexByte(",+\"\\<>;", c) >= 0,
			i == 0 && (c == ' ' || c == '#'), i == len(text)-1 && c == ' ':
			b = append(b, '\\', c)
		case c < ' ' || c >= 0x7f:
			b = fmt.Appendf(b, "\\%02X", c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// decodeString returns a string of a certificate in UTF-8.
func decodeString(v asn1.RawValue) (string, bool) {
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, 26:
		return string(v.Bytes), true
	case asn1.TagT61String:
		var b []byte
		for _, c := range v.Bytes {
			b = utf8.AppendRune(b, rune(c))
		}
		return string(b), true
	case asn1.TagBMPString:
		var b []byte
		for i := 0; i+1 < len(v.Bytes); i += 2 {
			b = utf8.AppendRune(b, rune(v.Bytes[i])<<8|rune(v.Bytes[i+1]))
		}
		return string(b), true
	}
	return "", false
}

// OneLine prints a distinguished name as X509_NAME_oneline does:
// "/C=DE/O=Acme/CN=me".
func OneLine(raw []byte) string {
	var b []byte
	for _, set := range parseName(raw) {
		for i := range set {
			a := &set[i]
			short, ok := attributeNames[a.Type.String()]
			if !ok {
				short = a.Type.String()
			}
			b = append(append(append(b, '/'), short...), '=')
			for _, c := range a.Value.Bytes {
				if c < ' ' || c > '~' {
					b = fmt.Appendf(b, "\\x%02X", c)
				} else {
					b = append(b, c)
				}
			}
		}
	}
	return string(b)
}
