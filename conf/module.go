package conf

// Directive is one row of a module's table: everything about the directive
// except what its value does at run time.
type Directive struct {
	Name string
	In   Context
	Args Arity

	// set reads the value; its error is completed by the evaluator.
	set func(cf *Conf) error
	// merge passes the value from an outer block to an inner one; nil when the
	// module's own Merge does.
	merge func(parent, child any)
	slot  AnySlot
}

// Taking is the row with another number of arguments.
func (d Directive) Taking(args Arity) Directive {
	d.Args = args
	return d
}

// Command is a row without a slot: set does everything. It is for directives
// that open blocks or act on the cycle as a whole.
func Command(name string, in Context, args Arity, set func(cf *Conf) error) Directive {
	return Directive{Name: name, In: in, Args: args, set: set}
}

// Module is a named table of directives with the configuration structs that
// they fill.
type Module struct {
	Name       string
	Family     Family
	Slots      []AnySlot
	Directives []Directive

	// Arguments are what the module adds to the configure arguments that -V
	// shows, such as "--with-http_ssl_module": certbot and others read them.
	Arguments []string
	// Objects are the file names of the dynamic modules it stands for, such as
	// "ngx_http_lua_module.so": load_module accepts them.
	Objects []string
}

// AnySlot is a Slot of whatever type.
type AnySlot interface {
	bind(f Family, index int)
	level() Level
	create() any
	mergeInto(cf *Conf, parent, child any) error
	addRow(merge func(parent, child any))
}

// Slot is the place of a module's configuration struct T in every Scope of its
// level. It is declared once as a package variable and bound to its index when
// the module is registered.
type Slot[T any] struct {
	Level Level
	// New makes a struct for a block; new(T) when nil.
	New func() *T
	// Merge runs after the rows' own merging, for what rows cannot express.
	Merge func(cf *Conf, parent, child *T) error

	family Family
	index  int
	rows   []func(parent, child any)
}

// Of returns the struct in sc. While a block is being read it is made when it
// is first asked for.
func (s *Slot[T]) Of(sc *Scope) *T {
	if p, ok := sc.conf[s.Level][s.index].(*T); ok {
		return p
	}
	return s.first(sc)
}

func (s *Slot[T]) first(sc *Scope) *T {
	p := s.create().(*T)
	sc.conf[s.Level][s.index] = p
	return p
}

// Where is the condition that in a scope's struct test holds.
func (s *Slot[T]) Where(test func(*T) bool) func(*Scope) bool {
	return func(sc *Scope) bool { return test(s.Of(sc)) }
}

func (s *Slot[T]) bind(f Family, index int) { s.family, s.index, s.rows = f, index, nil }
func (s *Slot[T]) level() Level             { return s.Level }

func (s *Slot[T]) create() any {
	if s.New != nil {
		return s.New()
	}
	return new(T)
}

func (s *Slot[T]) addRow(merge func(parent, child any)) { s.rows = append(s.rows, merge) }

func (s *Slot[T]) mergeInto(cf *Conf, parent, child any) error {
	for _, merge := range s.rows {
		merge(parent, child)
	}
	if s.Merge == nil {
		return nil
	}
	return s.Merge(cf, parent.(*T), child.(*T))
}

// Registry is the set of modules of one binary, in their order. It is built
// once by main and never changes.
type Registry struct {
	Modules []*Module
	slots   [families][levels][]AnySlot
	rows    map[string][]*Directive
}

// NewRegistry numbers the slots of the modules and indexes their directives.
func NewRegistry(modules ...*Module) *Registry {
	r := &Registry{Modules: modules, rows: make(map[string][]*Directive)}
	for _, m := range modules {
		for _, s := range m.Slots {
			list := &r.slots[m.Family][s.level()]
			s.bind(m.Family, len(*list))
			*list = append(*list, s)
		}
		for i := range m.Directives {
			d := &m.Directives[i]
			r.rows[d.Name] = append(r.rows[d.Name], d)
			if d.merge != nil {
				d.slot.addRow(d.merge)
			}
		}
	}
	return r
}

// Rows returns the rows that share a name, in module order.
func (r *Registry) Rows(name string) []*Directive { return r.rows[name] }

// Scope holds the configuration structs in effect inside one block: for each
// level the structs of all modules of the family. Blocks share the levels
// above their own.
type Scope struct {
	Family Family
	// Derived is for what the family makes of the structs when they are final.
	Derived any

	conf [levels][]any
}

// NewScope makes a scope with fresh structs at the given levels and the
// others taken from outer.
func (r *Registry) NewScope(f Family, outer *Scope, fresh ...Level) *Scope {
	sc := r.NewLazyScope(f, outer, fresh...)
	for _, l := range fresh {
		for i, s := range r.slots[f][l] {
			sc.conf[l][i] = s.create()
		}
	}
	return sc
}

// NewLazyScope is NewScope for blocks that are many: a module whose directives
// do not occur in the block has no struct of its own there, but shares what
// Merge makes of the outer block's with all such blocks. It is for levels whose
// Merge depends on nothing but the structs.
func (r *Registry) NewLazyScope(f Family, outer *Scope, fresh ...Level) *Scope {
	sc := &Scope{Family: f}
	if outer != nil {
		sc.conf = outer.conf
	}
	for _, l := range fresh {
		sc.conf[l] = make([]any, len(r.slots[f][l]))
	}
	return sc
}

// inheritance names what a block without settings of its own inherits: a
// module's struct in the outer block.
type inheritance struct {
	slot   AnySlot
	parent any
}

// Merge lets child inherit from parent at one level, module by module. cf's
// scope is the child meanwhile.
func (r *Registry) Merge(cf *Conf, l Level, parent, child *Scope) error {
	outer := cf.Scope
	cf.Scope = child
	defer func() { cf.Scope = outer }()
	for i, s := range r.slots[child.Family][l] {
		if parent.conf[l][i] == nil {
			parent.conf[l][i] = s.create()
		}
		from := inheritance{s, parent.conf[l][i]}
		lazy := child.conf[l][i] == nil
		if lazy {
			if made := cf.Cycle.inherited[from]; made != nil {
				child.conf[l][i] = made
				continue
			}
			child.conf[l][i] = s.create()
		}
		if err := s.mergeInto(cf, from.parent, child.conf[l][i]); err != nil {
			return cf.complete(err)
		}
		if lazy {
			if cf.Cycle.inherited == nil {
				cf.Cycle.inherited = make(map[inheritance]any)
			}
			cf.Cycle.inherited[from] = child.conf[l][i]
		}
	}
	return nil
}
