"""Why a run differs: the update law that it executed, and the named fault that explains it."""
