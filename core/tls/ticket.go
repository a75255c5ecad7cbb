package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// TicketKey encrypts tickets, laid out as in RFC 5077: the key's name, an
// initialization vector, the session in AES-CTR, and an HMAC-SHA256 of it all.
type TicketKey struct {
	Name [16]byte
	HMAC [32]byte
	AES  [32]byte
	// Size is that of the key's file: 48 with half of HMAC and AES, or 80.
	Size int
}

const (
	ticketName     = 16
	ticketIV       = aes.BlockSize
	ticketMAC      = sha256.Size
	ticketOverhead = ticketName + ticketIV + ticketMAC
)

// ErrTicketKey is the error of a key file of another size.
var ErrTicketKey = errors.New("must be 48 or 80 bytes")

// ParseTicketKey reads the contents of an ssl_session_ticket_key file.
func ParseTicketKey(b []byte) (*TicketKey, error) {
	k := &TicketKey{Size: len(b)}
	switch len(b) {
	case 48:
		copy(k.AES[:], b[16:32])
		copy(k.HMAC[:], b[32:])
	case 80:
		copy(k.HMAC[:], b[16:48])
		copy(k.AES[:], b[48:])
	default:
		return nil, ErrTicketKey
	}
	copy(k.Name[:], b)
	return k, nil
}

// NewTicketKey makes a key of random bytes, of which there are to be 80.
func NewTicketKey(b []byte) *TicketKey {
	k, err := ParseTicketKey(b)
	if err != nil {
		panic(err)
	}
	return k
}

// keys returns the bytes that are used.
func (k *TicketKey) keys() (aesKey, macKey []byte) {
	n := 32
	if k.Size == 48 {
		n = 16
	}
	return k.AES[:n], k.HMAC[:n]
}

// seal makes a ticket.
func (k *TicketKey) seal(session []byte) []byte {
	aesKey, macKey := k.keys()
	b := make([]byte, ticketName+ticketIV+len(session), ticketOverhead+len(session))
	copy(b, k.Name[:])
	iv := b[ticketName : ticketName+ticketIV]
	rand.Read(iv)
	block, _ := aes.NewCipher(aesKey) // fails for other sizes only
	cipher.NewCTR(block, iv).XORKeyStream(b[ticketName+ticketIV:], session)
	mac := hmac.New(sha256.New, macKey)
	mac.Write(b)
	return mac.Sum(b)
}

// open returns the session in a ticket, nil when it is not one of this key's.
func (k *TicketKey) open(ticket []byte) []byte {
	if len(ticket) < ticketOverhead {
		return nil
	}
	aesKey, macKey := k.keys()
	body := ticket[:len(ticket)-ticketMAC]
	mac := hmac.New(sha256.New, macKey)
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), ticket[len(body):]) {
		return nil
	}
	session := make([]byte, len(body)-ticketName-ticketIV)
	block, _ := aes.NewCipher(aesKey)
	cipher.NewCTR(block, body[ticketName:ticketName+ticketIV]).XORKeyStream(session, body[ticketName+ticketIV:])
	return session
}

// FixedKeys are ticket keys that never change: those of files, or one made when
// the configuration was read. The first one encrypts.
type FixedKeys []*TicketKey

// Current implements TicketKeys.
func (f FixedKeys) Current(_, _ int64) *TicketKey { return f[0] }

// Find implements TicketKeys.
func (f FixedKeys) Find(name []byte, _, _ int64) *TicketKey {
	for _, k := range f {
		if string(k.Name[:]) == string(name) {
			return k
		}
	}
	return nil
}
