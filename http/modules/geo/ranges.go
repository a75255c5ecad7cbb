package geo

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"moongate/conf"
	"moongate/core/cidr"
)

// ranges has the ranges of IPv4 addresses of a block with "ranges". They are
// kept by the upper half of the address, cut where it changes, as in nginx: its
// complaints show the pieces.
type ranges struct {
	def  *string
	high map[uint16][]piece
}

// piece is a range of lower halves; the pieces of one upper half are in order
// and do not overlap.
type piece struct {
	start, end uint16
	value      string
}

// find returns the value for an address.
func (t *ranges) find(a netip.Addr) string {
	if a.Is4() {
		ip := a.As4()
		low := binary.BigEndian.Uint16(ip[2:])
		list := t.high[binary.BigEndian.Uint16(ip[:])]
		i, _ := slices.BinarySearchFunc(list, low, func(p piece, low uint16) int { return int(p.end) - int(low) })
		if i < len(list) && list[i].start <= low {
			return list[i].value
		}
	} else if a != noAddress {
		return t.find(noAddress)
	}
	if t.def == nil {
		return ""
	}
	return *t.def
}

// line is "default value", "delete range" or "range value".
func (t *ranges) line(cf *conf.Conf) error {
	value := cf.Args[0]
	switch cf.Name {
	case "default":
		if t.def != nil {
			cf.Warnf(`duplicate default geo range value: "%s", old value: "%s"`, value, *t.def)
		}
		t.def = &value
		return nil
	case "delete":
		start, end, err := parseRange(cf, value)
		if err == nil && !t.remove(start, end) {
			cf.Warnf(`no address range "%s" to delete`, value)
		}
		return err
	}
	start, end, err := parseRange(cf, cf.Name)
	if err != nil {
		return err
	}
	if t.high == nil {
		t.high = make(map[uint16][]piece)
	}
	return each(start, end, func(high uint16, p piece) error {
		p.value = value
		return t.add(cf, high, p)
	})
}

// parseRange reads "1.2.3.4-1.2.3.5".
func parseRange(cf *conf.Conf, text string) (start, end uint32, err error) {
	from, to, found := strings.Cut(text, "-")
	a, ok := cidr.ParseAddr(from)
	b, ok2 := cidr.ParseAddr(to)
	if !found || !ok || !ok2 || !a.Is4() || !b.Is4() || b.Less(a) {
		return 0, 0, cf.Errorf(`invalid range "%s"`, text)
	}
	first, last := a.As4(), b.As4()
	return binary.BigEndian.Uint32(first[:]), binary.BigEndian.Uint32(last[:]), nil
}

// each calls f with the pieces of a range.
func each(start, end uint32, f func(high uint16, p piece) error) error {
	for high := start >> 16; high <= end>>16; high++ {
		p := piece{start: 0, end: 0xffff}
		if high == start>>16 {
			p.start = uint16(start)
		}
		if high == end>>16 {
			p.end = uint16(end)
		}
		if err := f(uint16(high), p); err != nil {
			return err
		}
	}
	return nil
}

// add enters a piece, which may lie inside another one and then cuts it. Ranges
// mostly come in rising order, so the search begins at the end:
// ngx_http_geo_add_range.
func (t *ranges) add(cf *conf.Conf, high uint16, p piece) error {
	list := t.high[high]
	i := len(list)
	for i > 0 && p.end < list[i-1].start {
		i--
	}
	if i == 0 || p.start > list[i-1].end {
		t.high[high] = slices.Insert(list, i, p)
		return nil
	}
	i--
	old := list[i]
	switch {
	case p.start < old.start || p.end > old.end:
		return cf.Errorf(`range "%s" overlaps "%s-%s"`, cf.Name, addr(high, old.start), addr(high, old.end))
	case p.start == old.start && p.end == old.end:
		cf.Warnf(`duplicate range "%s", value: "%s", old value: "%s"`, cf.Name, p.value, old.value)
	}
	cut := make([]piece, 0, 3)
	if p.start > old.start {
		cut = append(cut, piece{old.start, p.start - 1, old.value})
	}
	cut = append(cut, p)
	if p.end < old.end {
		cut = append(cut, piece{p.end + 1, old.end, old.value})
	}
	t.high[high] = slices.Replace(list, i, i+1, cut...)
	return nil
}

func addr(high, low uint16) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(high >> 8), byte(high), byte(low >> 8), byte(low)})
}

// remove takes out the pieces of a range; false if one is not there as it is.
func (t *ranges) remove(start, end uint32) (all bool) {
	all = true
	each(start, end, func(high uint16, p piece) error {
		list := t.high[high]
		i := slices.IndexFunc(list, func(o piece) bool { return o.start == p.start && o.end == p.end })
		if i < 0 {
			all = false
			return nil
		}
		t.high[high] = slices.Delete(list, i, i+1)
		return nil
	})
	return all
}
