package remote

import (
	"fmt"
	"sync"
)

// stage is what is being waited for, in words for a person who wonders. It
// may be set in one goroutine and read in another.
type stage struct {
	mu    sync.Mutex
	text  string
	other *stage // whose text counts; nil: its own
}

func (s *stage) set(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.other = fmt.Sprintf(format, args...), nil
}

func (s *stage) clear() { s.set("") }

// follow makes another stage's text count, until the next set.
func (s *stage) follow(other *stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.other = other
}

func (s *stage) String() string {
	s.mu.Lock()
	text, other := s.text, s.other
	s.mu.Unlock()
	if other != nil {
		return other.String()
	}
	return text
}
