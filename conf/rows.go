package conf

import (
	"errors"
	"strings"
	"time"
)

// ErrDuplicate is what a setter returns when the directive was there already.
var ErrDuplicate = errors.New("is duplicate")

// ErrInvalidValue is nginx's complaint about a value that does not parse.
var ErrInvalidValue = errors.New("invalid value")

// Check examines a value that parsed, as nginx's post handlers do: bounds,
// deprecation. Its error is reported as a complaint about the directive.
type Check[T any] func(cf *Conf, v *T) error

// option makes the row of a directive with one value: parse reads it, def is
// its default where no block sets it.
func option[C, T any](s *Slot[C], name string, in Context, args Arity, field func(*C) *Opt[T], def T,
	parse func(cf *Conf, arg string) (T, error), checks []Check[T]) Directive {
	return Directive{
		Name: name, In: in, Args: args, slot: s,
		set: func(cf *Conf) error {
			o := field(s.Of(cf.Scope))
			if o.Set {
				return ErrDuplicate
			}
			v, err := parse(cf, cf.Args[0])
			if err != nil {
				return err
			}
			for _, check := range checks {
				if err := check(cf, &v); err != nil {
					return err
				}
			}
			o.Put(v)
			return nil
		},
		merge: func(parent, child any) { field(child.(*C)).Inherit(field(parent.(*C)), def) },
	}
}

// plain adapts a reader that only says yes or no.
func plain[T any](read func(string) (T, bool)) func(*Conf, string) (T, error) {
	return func(_ *Conf, arg string) (T, error) {
		v, ok := read(arg)
		if !ok {
			return v, ErrInvalidValue
		}
		return v, nil
	}
}

// Flag is "name on | off;".
func (s *Slot[C]) Flag(name string, in Context, field func(*C) *Opt[bool], def bool, checks ...Check[bool]) Directive {
	return option(s, name, in, FlagArg, field, def, ParseFlag, checks)
}

// ParseFlag reads "on" or "off" in any case, with nginx's complaint.
func ParseFlag(cf *Conf, arg string) (bool, error) {
	switch {
	case strings.EqualFold(arg, "on"):
		return true, nil
	case strings.EqualFold(arg, "off"):
		return false, nil
	}
	return false, cf.Errorf(`invalid value "%s" in "%s" directive, it must be "on" or "off"`, arg, cf.Name)
}

// Num is "name number;".
func (s *Slot[C]) Num(name string, in Context, field func(*C) *Opt[int64], def int64, checks ...Check[int64]) Directive {
	return option(s, name, in, Take1, field, def, func(_ *Conf, arg string) (int64, error) {
		v, ok := ParseInt(arg)
		if !ok {
			return 0, errors.New("invalid number")
		}
		return v, nil
	}, checks)
}

// Size is "name size;": bytes, k, m.
func (s *Slot[C]) Size(name string, in Context, field func(*C) *Opt[int64], def int64, checks ...Check[int64]) Directive {
	return option(s, name, in, Take1, field, def, plain(ParseSize), checks)
}

// Offset is "name size;": bytes, k, m, g.
func (s *Slot[C]) Offset(name string, in Context, field func(*C) *Opt[int64], def int64, checks ...Check[int64]) Directive {
	return option(s, name, in, Take1, field, def, plain(ParseOffset), checks)
}

// Msec is "name time;" with a resolution of milliseconds.
func (s *Slot[C]) Msec(name string, in Context, field func(*C) *Opt[time.Duration], def time.Duration,
	checks ...Check[time.Duration]) Directive {
	return option(s, name, in, Take1, field, def, plain(ParseMsec), checks)
}

// Sec is "name time;" in whole seconds.
func (s *Slot[C]) Sec(name string, in Context, field func(*C) *Opt[time.Duration], def time.Duration,
	checks ...Check[time.Duration]) Directive {
	return option(s, name, in, Take1, field, def, plain(ParseSec), checks)
}

// Str is "name string;".
func (s *Slot[C]) Str(name string, in Context, field func(*C) *Opt[string], def string, checks ...Check[string]) Directive {
	return option(s, name, in, Take1, field, def, func(_ *Conf, arg string) (string, error) { return arg, nil }, checks)
}

// Word is one name of an enumeration or bit mask.
type Word struct {
	Name  string
	Value int
}

// Enum is "name word;", one of words.
func (s *Slot[C]) Enum(name string, in Context, field func(*C) *Opt[int], def int, words []Word, checks ...Check[int]) Directive {
	return option(s, name, in, Take1, field, def, func(cf *Conf, arg string) (int, error) {
		for _, w := range words {
			if strings.EqualFold(w.Name, arg) {
				return w.Value, nil
			}
		}
		return 0, cf.Errorf(`invalid value "%s"`, arg)
	}, checks)
}

// Bitmask is "name word …;", any of words, each at most once.
func (s *Slot[C]) Bitmask(name string, in Context, field func(*C) *Opt[int], def int, words []Word) Directive {
	return Directive{
		Name: name, In: in, Args: OneMore, slot: s,
		set: func(cf *Conf) error {
			o := field(s.Of(cf.Scope))
			for _, arg := range cf.Args {
				bit := 0
				for _, w := range words {
					if strings.EqualFold(w.Name, arg) {
						bit = w.Value
					}
				}
				switch {
				case bit == 0:
					return cf.Errorf(`invalid value "%s"`, arg)
				case o.Set && o.V&bit != 0:
					cf.Warnf(`duplicate value "%s"`, arg)
					continue
				}
				o.Put(o.V | bit)
			}
			return nil
		},
		merge: func(parent, child any) { field(child.(*C)).Inherit(field(parent.(*C)), def) },
	}
}

// Bufs is a number of buffers of one size.
type Bufs struct {
	N    int
	Size int64
}

// Bufs is "name number size;".
func (s *Slot[C]) Bufs(name string, in Context, field func(*C) *Opt[Bufs], def Bufs) Directive {
	return option(s, name, in, Take2, field, def, func(cf *Conf, arg string) (Bufs, error) {
		n, ok := ParseInt(arg)
		size, ok2 := ParseSize(cf.Args[1])
		if !ok || !ok2 || n == 0 || size == 0 {
			return Bufs{}, ErrInvalidValue
		}
		return Bufs{int(n), size}, nil
	}, nil)
}

// Custom is a row whose set reads the arguments itself; inheritance is left to
// the slot's Merge.
func (s *Slot[C]) Custom(name string, in Context, args Arity, set func(cf *Conf, c *C) error) Directive {
	return Directive{Name: name, In: in, Args: args, slot: s,
		set: func(cf *Conf) error { return set(cf, s.Of(cf.Scope)) }}
}

// Value is a row with an own type: parse reads all arguments into it, once per
// block.
func Value[C, T any](s *Slot[C], name string, in Context, args Arity, field func(*C) *Opt[T], def T,
	parse func(cf *Conf) (T, error)) Directive {
	return option(s, name, in, args, field, def, func(cf *Conf, _ string) (T, error) { return parse(cf) }, nil)
}

// Between bounds a number; max < 0 means no upper bound.
func Between(min, max int64) Check[int64] {
	return func(cf *Conf, v *int64) error {
		switch {
		case max < 0 && *v < min:
			return cf.Errorf("value must be equal to or greater than %d", min)
		case max >= 0 && (*v < min || *v > max):
			return cf.Errorf("value must be between %d and %d", min, max)
		}
		return nil
	}
}

// Deprecated warns that another directive took this one's place.
func Deprecated[T any](instead string) Check[T] {
	return func(cf *Conf, _ *T) error {
		cf.Warnf(`the "%s" directive is deprecated, use the "%s" directive instead`, cf.Name, instead)
		return nil
	}
}

// NoEffect warns, last of a row's checks, that the directive means nothing to
// this server; why says what there is in its place.
func NoEffect[T any](why string) Check[T] {
	return func(cf *Conf, _ *T) error {
		cf.Warnf(`the "%s" directive has no effect: %s`, cf.Name, why)
		return nil
	}
}
