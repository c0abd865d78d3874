package remote

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
