package upstream

// zone is memory that the workers share for the states of peers.
type zone struct{}

func (z *zone) lock()   {}
func (z *zone) unlock() {}
