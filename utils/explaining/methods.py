"""The methods, and what is said of them."""

from __future__ import annotations

GRAD_CAM, OCCLUSION = METHODS = ("gradcam", "occlusion")
# What the two ends of the colours mean, and how such a map is read.
ENDS = {GRAD_CAM: ("nothing", "most"), OCCLUSION: ("no loss", "largest loss")}
TITLES = {GRAD_CAM: "Grad-CAM", OCCLUSION: "Occlusion"}
READING = {
    GRAD_CAM: "bright places of the last map speak most for the class (Grad-CAM, Selvaraju et al. 2017)",
    OCCLUSION: "the class loses most where a bright place is hidden (occlusion, Zeiler and Fergus 2014)",
}
