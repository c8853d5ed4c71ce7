"""The buffer of refined images (SimGAN, section 2.3): the discriminator shall not forget what the refiner once did."""

from typing import Any

import torch
from torch import Tensor


class History:
    """At most `capacity` refined images (C, H, W), on the device they came on.

    generator: on the CPU; it chooses which images of the past are shown and which are replaced.
    """

    def __init__(self, capacity: int, generator: torch.Generator) -> None:
        self.capacity, self.generator = capacity, generator
        self.images: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.images is None else len(self.images)

    def add(self, images: Tensor) -> None:
        """Append (N, C, H, W) until the buffer is full; what is more takes the places of random entries."""
        images = images.detach()
        room = self.capacity - len(self)
        fresh = images[:room]
        if len(fresh):
            self.images = fresh.clone() if self.images is None else torch.cat([self.images, fresh])
        if self.images is not None and len(rest := images[room:] if room > 0 else images):
            places = torch.randperm(len(self), generator=self.generator)[: len(rest)]
            self.images[places.to(rest.device)] = rest[: len(places)]

    def mix(self, fresh: Tensor) -> Tensor:
        """Half of a batch (N / 2, C, H, W) and as many images of the past, (N, C, H, W).

        After that, the fresh half takes the places of N / 2 random entries.
        """
        half = len(fresh)
        if len(self) < half:
            raise ValueError(f"the history holds {len(self)} images; fill it with at least {half} first")
        assert self.images is not None
        shown = torch.randperm(len(self), generator=self.generator)[:half].to(fresh.device)
        batch = torch.cat([fresh, self.images[shown]])
        replaced = torch.randperm(len(self), generator=self.generator)[:half].to(fresh.device)
        self.images[replaced] = fresh.detach()
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Everything that `add` and `mix` change."""
        return {"images": self.images, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`."""
        self.images = state["images"]
        self.generator.set_state(state["generator"])
