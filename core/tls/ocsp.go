package tls

import (
	"encoding/asn1"
	"fmt"
)

// LoadStaple reads an OCSP response in DER (nginx's ngx_ssl_stapling_file).
func LoadStaple(read Reader, name string) ([]byte, error) {
	b, err := read(name)
	if err != nil {
		return nil, openError(fmt.Sprintf(`BIO_new_file("%s") failed`, name), name, "rb", err)
	}
	var response struct {
		Status asn1.Enumerated
		Bytes  asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	rest, err := asn1.Unmarshal(b, &response)
	if err != nil {
		return nil, &Error{What: fmt.Sprintf(`d2i_OCSP_RESPONSE_bio("%s") failed`, name),
			Queue: []string{"0680008E:asn1 encoding routines::not enough data"}}
	}
	return b[:len(b)-len(rest)], nil
}
