package remote

import "sync"

// cache holds what was made of files, by their names, for all who want it.
type cache[V any] struct {
	mu   sync.Mutex
	read map[string]func() V
}

// get gives what read makes of files, which is called once for each name.
func (c *cache[V]) get(name string, read func() V) V {
	c.mu.Lock()
	once, found := c.read[name]
	if !found {
		once = sync.OnceValue(read)
		if c.read == nil {
			c.read = map[string]func() V{}
		}
		c.read[name] = once
	}
	c.mu.Unlock()
	return once()
}
