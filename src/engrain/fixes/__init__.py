"""Issues and fixes: which problems are the same, and what solved them.

`Signer` gives every problem a signature: `masks` take out what differs from case to case, `templates` find out which
masked lines are one event, `signer` joins both with explicit fingerprints, stack traces and what a person decides.
"""

from engrain.fixes.signature import Signature
from engrain.fixes.signer import Signer

__all__ = ["Signature", "Signer"]
