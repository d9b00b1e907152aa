"""What to look for in each part of the page."""

LANDMARKS = """
Errors are found minus expected: the frame whose plane passes through the point picked in the CCTA, against
the frame in which it was annotated; its direction from the catheter there, against the annotated angle.
Below, the annotated frames: the green line (annotated direction) should point at the green diamond (the
CCTA's landmark, projected into the frame).
"""

TRUTH = """
This patient is synthetic, so the exact pose of every frame is known. Errors are found minus true; positive
is too far distal, or turned too far from +column towards +row. Shaded frames are marked as not reliable.
Errors outside them are what the lumens could not show, such as beats along a stretch that hardly changes.
"""

LENGTHWISE = """
Narrowings, widenings and branches (green: annotated landmarks) should lie at the same place in both curves,
and on the right better than on the left. Heights may differ: CCTA lumens read large or small. Cuts are
about the centre of the pullback's lumen; angles as in the stored image. Shaded: not reliable. The rigid
placement is the best one of its kind; where it lies elsewhere, the final path grew from another start.
"""

MAPS = """
Radius by angle and place, the pullback between the CCTA before and after. Side branches are bright spots:
those of the pullback (circles: annotated) should lie straight above those of the CCTA after registration
(squares: the CCTA's landmark). The same pattern half the height away means a turn by 180°.
"""

SECTIONS = """
Frames from the best to the worst fit, as seen on the console. The orange outline (CCTA, final) should
follow the blue one (pullback) better than the dashed grey one (CCTA, rigid); round sections say nothing
about rotation.
"""

SPACE = """
The catheter should run inside the lumen; it may cut bends on their inner side and touch the wall, but not
leave it. L, P and S point to the patient's left, back and head.
"""

MOTION = """
Is this what catheters do? Their longitudinal swing is typically 0.7 to 2.3 mm peak to peak (darker band),
up to 5.5 mm (lighter band); at IVUS speeds they may run backwards within a beat, and manual pullbacks vary
by 35 % (band of the speed). A catheter twists little by itself: long stretches beyond 10° per mm (band) or
a sudden half turn are suspicious. Slopes are over 1 mm.
"""

CONFIDENCE = """
Root-mean-square distance of the pullback's lumen from the CCTA's after the radius scale. Shaded frames are
not reliable: their poses are interpolated, or missing, for the reasons in the table.
"""

HYPOTHESES = """
Every start was refined; the best fit won. A runner-up that fits within a few per cent, above all one turned
by 180°, means that the data do not decide. Rotations are means over all frames. Distances count along the
smoothed line: compare them among each other, not with the arc lengths above.
"""

MAKING = """
Costs by stage, settings, versions and the SHA-256 of each input: the same again gives the same result.
"""
