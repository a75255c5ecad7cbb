package conf

// Repeat is a row with an own type that may be given several times in a block:
// set adds the arguments to the value.
func Repeat[C, T any](s *Slot[C], name string, in Context, args Arity, field func(*C) *Opt[T], def T,
	set func(cf *Conf, o *Opt[T]) error) Directive {
	return Directive{
		Name: name, In: in, Args: args, slot: s,
		set:   func(cf *Conf) error { return set(cf, field(s.Of(cf.Scope))) },
		merge: func(parent, child any) { field(child.(*C)).Inherit(field(parent.(*C)), def) },
	}
}
