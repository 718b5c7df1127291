package unpack

import "fmt"

// MarshalText writes a machine as CLASS-DATA-MACHINE, so that a [Summary] can be kept as JSON.
func (m Machine) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d-%d-%d", m.Class, m.Data, m.Machine), nil
}

// UnmarshalText reads what MarshalText wrote.
func (m *Machine) UnmarshalText(text []byte) error {
	var n Machine
	if _, err := fmt.Sscanf(string(text), "%d-%d-%d", &n.Class, &n.Data, &n.Machine); err != nil {
		return fmt.Errorf("machine %q: %w", text, err)
	}
	*m = n
	return nil
}
