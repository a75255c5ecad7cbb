package ssl

import (
	"testing"

	"moongate/core/process"
	"moongate/core/shm"
	"moongate/core/tls"
)

// TestTicketKeys: workers agree about the keys in a zone, which go into use one
// session timeout after the other, and are known for as long as their tickets
// may be used.
func TestTicketKeys(t *testing.T) {
	memory, err := shm.Create("test", 1<<17)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	zone := &process.Zone{Name: "test", Shm: memory}
	if err := initZone(zone, nil); err != nil {
		t.Fatal(err)
	}
	const timeout = 300
	workers := []*ticketRing{sharedKeys(zone), sharedKeys(zone)}
	made := map[*tls.TicketKey]int64{} // the keys that tickets were made with last, until when these may be used
	names := map[[16]byte]bool{}
	for now := int64(1000); now < 1000+10*timeout; now += 7 {
		maker, reader := workers[now%2], workers[(now+1)%2]
		key := maker.Current(now, now+timeout)
		made[key], names[key.Name] = now+timeout, true
		for key, until := range made {
			if now > until {
				delete(made, key)
				continue
			}
			found := reader.Find(key.Name[:], now, now+timeout)
			if found == nil || *found != *key {
				t.Fatalf("at %d the key of tickets that last until %d is not known", now, until)
			}
		}
	}
	if n := len(names); n < 5 || n > 12 {
		t.Errorf("%d keys in ten timeouts", n)
	}
	if workers[0].Find(make([]byte, 16), 5000, 5000+timeout) != nil {
		t.Error("an unknown name finds a key")
	}
}
