// Package encryptedsession encrypts and decrypts values for the client to keep,
// such as cookies: the third-party module encrypted-session-nginx-module.
//
// A sealed value is the MD5 of value and time of expiry, followed by both in
// AES-256-CBC; other servers with the same key can read it.
package encryptedsession

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
)

const (
	keySize   = 32
	ivSize    = aes.BlockSize
	timeSize  = 8
	defaultIV = "deadbeefdeadbeef"
)

// locConf is what a location has of this module.
type locConf struct {
	key     conf.Opt[*box]
	iv      conf.Opt[[ivSize]byte]
	expires conf.Opt[time.Duration]
}

// box is a key, ready for use.
type box struct{ cipher.Block }

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

var setVars = http.SetVars{"set_encrypt_session": encrypt, "set_decrypt_session": decrypt}

// Module is encrypted-session.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_encrypted_session",
		Slots: []conf.AnySlot{slot},
		Directives: append(setVars.Directives(conf.Take12),
			conf.Value(slot, "encrypted_session_key", http.InSet, conf.Take1, func(c *locConf) *conf.Opt[*box] { return &c.key }, nil, parseKey),
			conf.Value(slot, "encrypted_session_iv", http.InSet, conf.Take1,
				func(c *locConf) *conf.Opt[[ivSize]byte] { return &c.iv }, [ivSize]byte([]byte(defaultIV)), parseIV),
			slot.Sec("encrypted_session_expires", http.InSet, func(c *locConf) *conf.Opt[time.Duration] { return &c.expires }, 24*time.Hour),
		),
		Arguments: []string{"--add-module=../encrypted-session-nginx-module-0.10"},
		Objects:   []string{"ngx_http_encrypted_session_module.so"},
	},
	Preconfiguration: func(_ *conf.Conf, m *http.MainConf) error {
		setVars.Export(m)
		return nil
	},
}

func parseKey(cf *conf.Conf) (*box, error) {
	if len(cf.Args[0]) != keySize {
		return nil, cf.Errorf("encrypted_session_key: the key must be of %d bytes long", keySize)
	}
	block, err := aes.NewCipher([]byte(cf.Args[0]))
	return &box{block}, err
}

func parseIV(cf *conf.Conf) (iv [ivSize]byte, err error) {
	if len(cf.Args[0]) > ivSize {
		return iv, cf.Errorf("encrypted_session_iv: the init vector must NOT be longer than %d bytes", ivSize)
	}
	copy(iv[:], cf.Args[0])
	return iv, nil
}

// confOf returns the location's configuration if it has a key.
func confOf(r *http.Request) *locConf {
	c := slot.Of(r.Scope)
	if c.key.V == nil {
		r.Error("encrypted_session: a key is required to be defined by the encrypted_session_key directive")
		return nil
	}
	return c
}

// encrypt is set_encrypt_session.
func encrypt(r *http.Request, v []string) (string, bool) {
	c := confOf(r)
	if c == nil {
		return "", false
	}
	var expires int64
	if c.expires.V != 0 {
		expires = r.Loop().Now().Add(c.expires.V).Unix()
	}
	size := md5.Size + (len(v[0])+timeSize)/ivSize*ivSize + ivSize
	return buf.String(c.key.V.seal(r.Pool.Alloc(size)[:0], v[0], expires, c.iv.V)), true
}

// decrypt is set_decrypt_session; what is not valid gives an empty value.
func decrypt(r *http.Request, v []string) (string, bool) {
	c := confOf(r)
	if c == nil {
		return "", false
	}
	value, err := c.key.V.open(r.Pool.Alloc(len(v[0])), v[0], r.Loop().Now().Unix(), c.iv.V)
	if err != nil {
		r.Logf(log.DebugHTTP, nil, "encrypted_session: %s", err)
		return "", true
	}
	return buf.String(value), true
}

// seal appends the sealed value; it expires at a time in Unix seconds, or never
// if that is 0.
func (k *box) seal(b []byte, value string, expires int64, iv [ivSize]byte) []byte {
	start := len(b)
	b = append(b, make([]byte, md5.Size)...)
	b = binary.BigEndian.AppendUint64(append(b, value...), uint64(expires))
	sum := md5.Sum(b[start+md5.Size:])
	copy(b[start:], sum[:])
	plain := len(b) - start - md5.Size
	for pad := ivSize - plain%ivSize; len(b)-start-md5.Size < plain+pad; {
		b = append(b, byte(pad))
	}
	data := b[start+md5.Size:]
	cipher.NewCBCEncrypter(k, iv[:]).CryptBlocks(data, data)
	return b
}

var (
	errSize    = errors.New("not a whole number of blocks")
	errPadding = errors.New("bad AES-256 digest")
	errSum     = errors.New("MD5 checksum mismatch")
	errExpired = errors.New("session expired")
)

// open returns the value that was sealed; room must be as long as sealed.
func (k *box) open(room []byte, sealed string, now int64, iv [ivSize]byte) ([]byte, error) {
	if len(sealed) < md5.Size+ivSize || (len(sealed)-md5.Size)%ivSize != 0 {
		return nil, errSize
	}
	data := room[:len(sealed)-md5.Size]
	cipher.NewCBCDecrypter(k, iv[:]).CryptBlocks(data, buf.Bytes(sealed[md5.Size:]))
	pad := int(data[len(data)-1])
	if pad < 1 || pad > ivSize || len(data)-pad < timeSize {
		return nil, errPadding
	}
	for _, c := range data[len(data)-pad:] {
		if int(c) != pad {
			return nil, errPadding
		}
	}
	data = data[:len(data)-pad]
	sum := md5.Sum(data)
	if subtle.ConstantTimeCompare(sum[:], buf.Bytes(sealed[:md5.Size])) != 1 {
		return nil, errSum
	}
	value := data[:len(data)-timeSize]
	if expires := binary.BigEndian.Uint64(data[len(value):]); expires != 0 && expires <= uint64(now) {
		return nil, errExpired
	}
	return value, nil
}
