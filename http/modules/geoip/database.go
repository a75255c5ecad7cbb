package geoip

import (
	"bytes"
	"errors"
	"net/netip"
)

// Editions of databases, by the number that stands in the file.
const (
	country      = 1
	cityRev1     = 2
	regionRev1   = 3
	isp          = 4
	organization = 5
	cityRev0     = 6
	regionRev0   = 7
	proxyType    = 8
	asNumber     = 9
	netSpeed     = 10
	domain       = 11
	countryV6    = 12
	asNumberV6   = 21
	ispV6        = 22
	orgV6        = 23
	domainV6     = 24
	cityRev1V6   = 30
	cityRev0V6   = 31
)

const (
	// countryBegin is where the numbers of a country database's nodes end and
	// those of countries begin.
	countryBegin = 16776960
	regionBegin0 = 16700000
	regionBegin1 = 16000000
	// maxInfo is how far from the end of the file its description may begin.
	maxInfo = 20
	// oldEditions is what the numbers of editions once had in addition.
	oldEditions = 105
)

// database is a file of MaxMind's first format, whole: a binary tree of
// addresses, whose leaves are numbers of countries or places of records behind
// it.
type database struct {
	data    []byte
	edition int
	// record is the size of one of the two halves of a node, segments the number
	// of nodes.
	record, segments int
}

var errDatabase = errors.New("not a GeoIP database")

// open reads the description at the end of the file, which begins with three
// bytes 0xff. A file without one is a country database.
func open(data []byte) (*database, error) {
	d := &database{data: data, edition: country, record: 3, segments: countryBegin}
	mark := []byte{0xff, 0xff, 0xff}
	for i := len(data) - 3; i >= 0 && i > len(data)-3-maxInfo; i-- {
		if !bytes.HasPrefix(data[i:], mark) || i+3 >= len(data) {
			continue
		}
		d.edition = int(data[i+3])
		if d.edition > oldEditions {
			d.edition -= oldEditions
		}
		switch d.edition {
		case regionRev0:
			d.segments = regionBegin0
		case regionRev1:
			d.segments = regionBegin1
		case country, countryV6, proxyType, netSpeed:
		default:
			if i+7 > len(data) {
				return nil, errDatabase
			}
			d.segments = number(data[i+4:], 3)
		}
		break
	}
	switch d.edition {
	case organization, orgV6, isp, ispV6, domain, domainV6:
		d.record = 4
	}
	if len(data) < 2*d.record {
		return nil, errDatabase
	}
	return d, nil
}

// number reads n bytes, the lowest first.
func number(p []byte, n int) (v int) {
	for i := range n {
		v |= int(p[i]) << (8 * i)
	}
	return v
}

// v6 reports whether the database is one of IPv6 addresses.
func (d *database) v6() bool {
	switch d.edition {
	case countryV6, asNumberV6, ispV6, orgV6, domainV6, cityRev0V6, cityRev1V6:
		return true
	}
	return false
}

// find returns the leaf of an address, which is segments or more; false where
// the tree is broken. Other addresses than IPv4 ones are the last there is for
// a database of those.
func (d *database) find(a netip.Addr) (leaf int, ok bool) {
	a = a.Unmap()
	var address [16]byte
	bits := 8 * len(address)
	switch {
	case d.v6() && a.IsValid():
		address = a.As16()
	case d.v6():
	default:
		bits = 32
		v4 := [4]byte{255, 255, 255, 255}
		if a.Is4() {
			v4 = a.As4()
		}
		copy(address[:], v4[:])
	}
	node := 0
	for i := range bits {
		at := 2 * d.record * node
		if at+2*d.record > len(d.data) {
			return 0, false
		}
		if address[i/8]>>(7-i%8)&1 != 0 {
			at += d.record
		}
		if node = number(d.data[at:], d.record); node >= d.segments {
			return node, true
		}
	}
	return 0, false
}

// country returns the number of an address's country, 0 for none.
func (d *database) country(a netip.Addr) int {
	leaf, ok := d.find(a)
	if !ok || leaf-d.segments >= len(countries()) {
		return 0
	}
	return leaf - d.segments
}

// recordOf returns what begins at the record of an address, nil for none.
func (d *database) recordOf(a netip.Addr) []byte {
	leaf, ok := d.find(a)
	at := leaf + (2*d.record-1)*d.segments
	if !ok || leaf == d.segments || at >= len(d.data) {
		return nil
	}
	return d.data[at:]
}

// name returns the text that an address's record consists of.
func (d *database) name(a netip.Addr) ([]byte, bool) {
	p := d.recordOf(a)
	if p == nil {
		return nil, false
	}
	text, _, _ := bytes.Cut(p, []byte{0})
	return text, true
}

// city is the record of a city database. What is not known is empty.
type city struct {
	country             int
	region, name, post  []byte
	latitude, longitude float32
	dma, area           int
}

// city returns the record of an address.
func (d *database) city(a netip.Addr) (c city, ok bool) {
	p := d.recordOf(a)
	if p == nil {
		return c, false
	}
	if c.country = int(p[0]); c.country >= len(countries()) {
		return c, false
	}
	p = p[1:]
	for _, field := range []*[]byte{&c.region, &c.name, &c.post} {
		*field, p, _ = bytes.Cut(p, []byte{0})
	}
	if len(p) < 6 {
		return c, true
	}
	c.latitude, c.longitude = degrees(p), degrees(p[3:])
	if p = p[6:]; (d.edition == cityRev1 || d.edition == cityRev1V6) && len(p) >= 3 && countries()[c.country].code == "US" {
		n := number(p, 3)
		c.dma, c.area = n/1000, n%1000
	}
	return c, true
}

// degrees reads a coordinate in ten thousandths of degrees from -180 on.
func degrees(p []byte) float32 { return float32(float64(number(p, 3))/10000 - 180) }
