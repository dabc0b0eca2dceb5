"""Why a signature fails: `registrar doctor` tries the usual mistakes on a captured request, and names the one it is."""
