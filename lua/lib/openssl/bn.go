package openssl

import (
	"crypto/rand"
	"errors"
	"math/big"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// bigNumber is an object of resty.openssl.bn.
type bigNumber struct{ n *big.Int }

// newBN makes an object of a number.
func (b *library) newBN(l *lua.LState, n *big.Int) *lua.LTable {
	return b.class(l, "resty.openssl.bn").New(&bigNumber{n})
}

// maxBits bounds the numbers that functions make of small arguments, in bits.
const maxBits = 1 << 20

var (
	errZero   = errors.New("div by zero")
	errBits   = errors.New("number is too large")
	errNumber = errors.New("not a number")
)

// twoOps are the operations on two numbers.
var twoOps = map[string]func(a, b *big.Int) (*big.Int, error){
	"add": func(a, b *big.Int) (*big.Int, error) { return new(big.Int).Add(a, b), nil },
	"sub": func(a, b *big.Int) (*big.Int, error) { return new(big.Int).Sub(a, b), nil },
	"mul": func(a, b *big.Int) (*big.Int, error) { return new(big.Int).Mul(a, b), nil },
	"div": quotient, "idiv": quotient,
	"mod": func(a, b *big.Int) (*big.Int, error) {
		if b.Sign() == 0 {
			return nil, errZero
		}
		return new(big.Int).Rem(a, b), nil
	},
	"gcd": func(a, b *big.Int) (*big.Int, error) { return new(big.Int).GCD(nil, nil, a, b), nil },
	"exp": power, "pow": power,
	"lshift": func(a, b *big.Int) (*big.Int, error) {
		if !b.IsInt64() || b.Int64() < 0 || b.Int64() > maxBits {
			return nil, errBits
		}
		return new(big.Int).Lsh(a, uint(b.Int64())), nil
	},
	"rshift": func(a, b *big.Int) (*big.Int, error) {
		if !b.IsInt64() || b.Int64() < 0 || b.Int64() > maxBits {
			return nil, errBits
		}
		return new(big.Int).Quo(a, new(big.Int).Lsh(big.NewInt(1), uint(b.Int64()))), nil
	},
	"mod_sqr": func(a, m *big.Int) (*big.Int, error) { return modulo(new(big.Int).Mul(a, a), m) },
}

// threeOps are the operations modulo a third number.
var threeOps = map[string]func(a, b, m *big.Int) (*big.Int, error){
	"mod_add": func(a, b, m *big.Int) (*big.Int, error) { return modulo(new(big.Int).Add(a, b), m) },
	"mod_sub": func(a, b, m *big.Int) (*big.Int, error) { return modulo(new(big.Int).Sub(a, b), m) },
	"mod_mul": func(a, b, m *big.Int) (*big.Int, error) { return modulo(new(big.Int).Mul(a, b), m) },
	"mod_exp": modPower, "mod_pow": modPower,
}

func quotient(a, b *big.Int) (*big.Int, error) {
	if b.Sign() == 0 {
		return nil, errZero
	}
	return new(big.Int).Quo(a, b), nil
}

func power(a, b *big.Int) (*big.Int, error) {
	if b.Sign() < 0 || !b.IsInt64() || b.Int64() > maxBits || int64(a.BitLen())*b.Int64() > maxBits {
		return nil, errBits
	}
	return new(big.Int).Exp(a, b, nil), nil
}

// modulo is the remainder that is not negative.
func modulo(a, m *big.Int) (*big.Int, error) {
	if m.Sign() == 0 {
		return nil, errZero
	}
	return new(big.Int).Mod(a, m), nil
}

func modPower(a, b, m *big.Int) (*big.Int, error) {
	switch {
	case m.Sign() == 0:
		return nil, errZero
	case b.Sign() < 0:
		return nil, errNumber
	}
	return new(big.Int).Exp(a, b, new(big.Int).Abs(m)), nil
}

// parseBN makes a number of a string in a base of bn.new.
func parseBN(s string, base int) (*big.Int, error) {
	switch base {
	case 2:
		return new(big.Int).SetBytes([]byte(s)), nil
	case 10, 16:
		n, ok := new(big.Int).SetString(s, base)
		if !ok || strings.HasPrefix(s, "+") || strings.Contains(s, "_") {
			return nil, errNumber
		}
		return n, nil
	case 0:
		return fromMPI(s)
	}
	return nil, errors.New("unsupported base")
}

// fromMPI reads OpenSSL's MPI: a length of 4 bytes and the number, whose highest bit is the sign.
func fromMPI(s string) (*big.Int, error) {
	if len(s) < 4 || new(big.Int).SetBytes([]byte(s[:4])).Int64() != int64(len(s)-4) {
		return nil, errors.New("encoding error")
	}
	b := []byte(s[4:])
	negative := len(b) > 0 && b[0]&0x80 != 0
	if negative {
		b[0] &^= 0x80
	}
	n := new(big.Int).SetBytes(b)
	if negative {
		n.Neg(n)
	}
	return n, nil
}

// toMPI writes what fromMPI reads.
func toMPI(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	if n.Sign() < 0 {
		b[0] |= 0x80
	}
	out := make([]byte, 4, 4+len(b))
	big.NewInt(int64(len(b))).FillBytes(out)
	return append(out, b...)
}

// hexOf is a number as OpenSSL writes it: whole bytes in upper case.
func hexOf(n *big.Int) string {
	s := strings.ToUpper(new(big.Int).Abs(n).Text(16))
	if len(s)%2 != 0 && s != "0" {
		s = "0" + s
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// operand is the number at an argument: an object or a Lua number.
func operand(l *lua.LState, n int) (*big.Int, error) {
	if o, ok := native.Value[*bigNumber](l.Get(n)); ok {
		return o.n, nil
	}
	f, ok := l.Get(n).(lua.LNumber)
	if !ok || float64(f) != float64(int64(f)) {
		return nil, errNumber
	}
	return big.NewInt(int64(f)), nil
}

// openBN makes resty.openssl.bn.
func openBN(_ *library, l *lua.LState, c *native.Class) {
	ret := func(l *lua.LState, what string, n *big.Int, err error) int {
		if err != nil {
			return fail(l, "%s: %s", what, err)
		}
		return native.Return(l, c.New(&bigNumber{n}))
	}
	from := func(name string, base int) lua.LGFunction {
		return func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if !ok {
				return fail(l, "bn.%s: expect a string at #1", name)
			}
			n, err := parseBN(string(s), base)
			return ret(l, "bn."+name, n, err)
		}
	}
	funcs := map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			n, err := numberArg(l, 1)
			return ret(l, "bn.new", n, err)
		},
		"istype": istype[*bigNumber],
		"set": func(l *lua.LState) int {
			n, err := numberArg(l, 2)
			if err != nil {
				return fail(l, "bn:set: %s", err)
			}
			native.Self[*bigNumber](l).n = n
			return native.Return(l, l.Get(1))
		},
		"from_binary": from("from_binary", 2), "from_hex": from("from_hex", 16), "from_dec": from("from_dec", 10),
		"from_mpi": from("from_mpi", 0),
		"sqr": func(l *lua.LState) int {
			a, err := operand(l, 1)
			if err == nil {
				a = new(big.Int).Mul(a, a)
			}
			return ret(l, "bn:sqr", a, err)
		},
		"generate_prime": func(l *lua.LState) int {
			n, err := generatePrime(vm.CheckInt(l, 1), lua.LVAsBool(l.Get(2)))
			return ret(l, "bn.generate_prime", n, err)
		},
	}
	for name, op := range twoOps {
		funcs[name] = func(l *lua.LState) int {
			n, err := two(l, op)
			return ret(l, "bn:"+name, n, err)
		}
	}
	for name, op := range threeOps {
		funcs[name] = func(l *lua.LState) int {
			m, err := operand(l, 3)
			if err != nil {
				return fail(l, "bn:%s: %s", name, err)
			}
			n, err := two(l, func(a, b *big.Int) (*big.Int, error) { return op(a, b, m) })
			return ret(l, "bn:"+name, n, err)
		}
	}
	addWriters(funcs)
	define(l, c, funcs)
	addMeta(l, c)
}

// two applies an operation to the arguments.
func two(l *lua.LState, op func(a, b *big.Int) (*big.Int, error)) (*big.Int, error) {
	a, err := operand(l, 1)
	if err != nil {
		return nil, err
	}
	b, err := operand(l, 2)
	if err != nil {
		return nil, err
	}
	return op(a, b)
}

// numberArg is the number that new and set are given: nothing, a number, or a string with its base.
func numberArg(l *lua.LState, n int) (*big.Int, error) {
	switch v := l.Get(n).(type) {
	case *lua.LNilType:
		return new(big.Int), nil
	case lua.LString:
		return parseBN(string(v), vm.OptInt(l, n+1, 10))
	}
	return operand(l, n)
}

// addWriters adds the methods that tell what a number is.
func addWriters(funcs map[string]lua.LGFunction) {
	number := func(l *lua.LState) *big.Int { return native.Self[*bigNumber](l).n }
	funcs["to_binary"] = func(l *lua.LState) int {
		b := number(l).Bytes()
		if len(b) == 0 && l.Get(2) == lua.LNil {
			return fail(l, "bn:to_binary failed")
		}
		if size := vm.OptInt(l, 2, 0); size > 0 {
			if size < len(b) || size > maxBits/8 {
				return fail(l, "bn:to_binary: number does not fit")
			}
			b = number(l).FillBytes(make([]byte, size))
		}
		return retBytes(l, b)
	}
	funcs["to_mpi"] = func(l *lua.LState) int { return retBytes(l, toMPI(number(l))) }
	funcs["to_hex"] = func(l *lua.LState) int { return native.Return(l, lua.LString(hexOf(number(l)))) }
	funcs["to_dec"] = func(l *lua.LState) int { return native.Return(l, lua.LString(number(l).String())) }
	toNumber := func(l *lua.LState) int {
		mask := new(big.Int).SetUint64(1<<64 - 1)
		n := new(big.Int).Abs(number(l))
		if n.Cmp(mask) > 0 {
			n = mask // as BN_get_word
		}
		return native.Return(l, vm.Number(float64(n.Uint64())))
	}
	funcs["to_number"], funcs["tonumber"] = toNumber, toNumber
	funcs["is_zero"] = func(l *lua.LState) int { return native.Return(l, lua.LBool(number(l).Sign() == 0)) }
	funcs["is_one"] = func(l *lua.LState) int { return native.Return(l, lua.LBool(number(l).Cmp(big.NewInt(1)) == 0)) }
	funcs["is_odd"] = func(l *lua.LState) int { return native.Return(l, lua.LBool(number(l).Bit(0) == 1)) }
	funcs["is_word"] = func(l *lua.LState) int {
		b, err := operand(l, 2)
		return native.Return(l, lua.LBool(err == nil && number(l).Cmp(b) == 0))
	}
	funcs["is_prime"] = func(l *lua.LState) int {
		if v := l.Get(2); v != lua.LNil && v.Type() != lua.LTNumber {
			return fail(l, "bn:is_prime: expect a number at #1")
		}
		if number(l).BitLen() > maxPrime {
			return fail(l, "bn:is_prime: %s", errBits)
		}
		return native.Return(l, lua.LBool(number(l).ProbablyPrime(min(max(vm.OptInt(l, 2, 0), 20), 64))))
	}
}

// verbs are the names of operations in errors.
var verbs = map[string]string{"add": "add", "sub": "substract", "mul": "mul", "div": "div", "mod": "mod", "exp": "pow"}

// notNumber is the argument of two that is no number.
func notNumber(l *lua.LState) lua.LValue {
	if _, err := operand(l, 1); err != nil {
		return l.Get(1)
	}
	return l.Get(2)
}

// addMeta makes objects numbers of the language.
func addMeta(l *lua.LState, c *native.Class) {
	for event, name := range map[string]string{"__add": "add", "__sub": "sub", "__mul": "mul", "__div": "div", "__mod": "mod", "__pow": "exp"} {
		op := twoOps[name]
		c.Meta(l, event, func(l *lua.LState) int {
			n, err := two(l, op)
			switch {
			case err == errNumber:
				vm.Errorf(l, "cannot %s a %s to bignum", verbs[name], notNumber(l).Type())
			case err != nil:
				vm.Errorf(l, "bn:%s: %s", name, err)
			}
			return native.Return(l, c.New(&bigNumber{n}))
		})
	}
	c.Meta(l, "__unm", func(l *lua.LState) int {
		return native.Return(l, c.New(&bigNumber{new(big.Int).Neg(native.Self[*bigNumber](l).n)}))
	})
	c.Meta(l, "__tostring", func(l *lua.LState) int {
		return native.Return(l, lua.LString(native.Self[*bigNumber](l).n.String()))
	})
	compare := func(holds func(order int) bool) lua.LGFunction {
		return func(l *lua.LState) int {
			a, errA := operand(l, 1)
			b, errB := operand(l, 2)
			if err := errors.Join(errA, errB); err != nil {
				vm.Errorf(l, "bn: %s", err)
			}
			return native.Return(l, lua.LBool(holds(a.Cmp(b))))
		}
	}
	c.Meta(l, "__eq", compare(func(order int) bool { return order == 0 }))
	c.Meta(l, "__lt", compare(func(order int) bool { return order < 0 }))
	c.Meta(l, "__le", compare(func(order int) bool { return order <= 0 }))
}

// maxPrime bounds the primes that are looked for or tested, in bits: it takes time.
const maxPrime = 8192

// generatePrime makes a prime number; of a safe one the half is prime too.
func generatePrime(bits int, safe bool) (*big.Int, error) {
	if bits < 3 || bits > maxPrime {
		return nil, errBits
	}
	for {
		if !safe {
			return rand.Prime(rand.Reader, bits)
		}
		half, err := rand.Prime(rand.Reader, bits-1)
		if err != nil {
			return nil, err
		}
		p := new(big.Int).Lsh(half, 1)
		if p.SetBit(p, 0, 1).ProbablyPrime(20) {
			return p, nil
		}
	}
}
