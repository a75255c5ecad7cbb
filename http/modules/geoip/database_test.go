package geoip

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// halves is a node of two numbers of three bytes.
func halves(left, right uint32) []byte {
	var b [8]byte
	binary.LittleEndian.PutUint32(b[:], left)
	binary.LittleEndian.PutUint32(b[3:], right)
	return b[:6]
}

func TestNames(t *testing.T) {
	all := countries()
	if len(all) != 256 || all[225].code != "US" || all[185].code3 != "RUS" || all[10].ascii != "Curacao" {
		t.Error(len(all), all[225], all[185], all[10])
	}
	if name := regions()["USCA"]; name != "California" {
		t.Error(name)
	}
}

func TestBroken(t *testing.T) {
	for _, data := range [][]byte{nil, {1, 2, 3}, {0xff, 0xff, 0xff, cityRev1}, append(make([]byte, 9), 0xff, 0xff, 0xff, organization, 1)} {
		if d, err := open(data); err == nil {
			t.Errorf("%x is a database: %+v", data, d)
		}
	}
	// A tree that never ends.
	d, err := open(halves(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if n := d.country(netip.MustParseAddr("10.0.0.1")); n != 0 {
		t.Error(n)
	}
	// A country that does not exist.
	d.data = halves(countryBegin+1000, countryBegin+1000)
	if n := d.country(netip.MustParseAddr("10.0.0.1")); n != 0 {
		t.Error(n)
	}
}

func TestCountryAllocates(t *testing.T) {
	d, err := open(halves(countryBegin+225, countryBegin))
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr("10.0.0.1")
	if n := testing.AllocsPerRun(100, func() { d.country(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDatabase(f *testing.F) {
	f.Add(halves(countryBegin+225, countryBegin))
	f.Add(append(halves(2, 1), "\x00\xe1CA\x00x\x00y\x00123123123\xff\xff\xff\x02\x01\x00\x00"...))
	f.Add([]byte("\x02\x00\x00\x00\x01\x00\x00\x00\x00name\x00\xff\xff\xff\x05\x01\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		d, err := open(data)
		if err != nil {
			return
		}
		for _, text := range []string{"10.0.0.1", "255.255.255.255", "2001:db8::1", "::"} {
			a := netip.MustParseAddr(text)
			d.country(a)
			d.city(a)
			d.name(a)
		}
	})
}
