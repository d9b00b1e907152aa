"""What to look for in each part of the page."""

LANDMARKS = """
Errors are found minus expected: the frame whose plane passes through the point picked in the CCTA, against
the frame in which it was annotated (positive mm: found further proximally); its direction from the catheter
there, against the annotated angle. Below, the annotated frames: the green line (annotated direction) should
point at the green diamond (the CCTA's landmark, projected into the frame). Names are those of the landmarks
in the case. Side branches found in the images have names of their own, with "CCTA" or "pullback" before
them: equal numbers need not be the same branch.
"""

GUIDES = """
Landmarks that guided the registration, or were locked, are met because they were asked for: the error there
is the fit's residual and says nothing of its accuracy.
"""

LEFT_OUT = """
"Left out" is measured on a path that was found without the landmark as a guide and, for a branch, with its
mouth closed in both lumens. It starts from the same placements that were compared before. It tells the error
where no branch helps; the plain error of a landmark that did not guide is agreement at a branch that the fit
has matched.
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
Axes fit the frames in the vessel; before its ostium and at branches, curves may leave them. The correlation
of areas above counts the frames in the vessel, those that are not reliable too, by rank.
"""

MAPS = """
Radius by angle and place, the pullback between the CCTA before and after. Side branches are bright spots:
those of the pullback (circles: annotated) should lie straight above those of the CCTA after registration
(squares: the CCTA's landmark). The same pattern half the height away means a turn by 180°. Angles are about
the lumen's centre; a landmark's angle_deg is about the catheter, and another one where that lies off-centre.
"""

SECTIONS = """
Frames from the best to the worst fit, as seen on the console. The orange outline (CCTA, final) should
follow the blue one (pullback) better than the dashed grey one (CCTA, rigid); round sections say nothing
about rotation. Only frames in the CCTA's vessel are ranked, reliable or not.
"""

SPACE = """
The catheter should run inside the lumen; it may cut bends on their inner side and touch the wall, but not
leave it. L, P and S point to the patient's left, back and head.
"""

MOTION = """
Is this what catheters do? Their longitudinal swing is typically 0.7 to 2.3 mm peak to peak (darker band),
up to 5.5 mm (lighter band); at IVUS speeds they may run backwards within a beat, and manual pullbacks vary
by 35 % (band of the speed). A catheter twists little by itself: long stretches beyond 10° per mm (band) or
a sudden half turn are suspicious. Slopes are over 1 mm. The band along place and rotation is two standard
deviations of the fit to either side, not calibrated: errors are often larger, above all where a swing is
missed.
"""

CONFIDENCE = """
How far the two lumens lie apart in each frame: root-mean-square distance of the pullback's outline from the
CCTA's lumen, once the CCTA's radius is scaled as above; no line where nothing was measured, and it may leave
the axes before and beyond the vessel. Small means that the lumens fit there, not that the place is right.
Shaded frames are not reliable, for the reasons in the table: they have no pose, or one between their
neighbours, a place or a rotation that the lumens do not determine, or a lumen that is not to be trusted.
Reliable means that nothing is known against a frame, not that it is right to a given distance.
"""

HYPOTHESES = """
Every start was refined; the best fit won. A runner-up that fits within a few per cent, above all one turned
by 180°, means that the data do not decide. Rotations are means over all frames. Distances count along the
smoothed line: compare them among each other, not with the arc lengths above. Places are those compared,
before the last and finest stages, which may still move the first one by millimetres at its ends.
"""

MAKING = """
Costs by stage, settings, versions and the SHA-256 of each input: the same again gives the same result.
"""

GUIDED_COSTS = """
Costs count how far guides are missed, too. That of the rigid placement is left out: no landmark guides it, so
it cannot be compared.
"""

PATH = """
The brightest voxels within 3 mm of the vessel's depth, first without and then with what was found. The line
must stay in one bright tube from the ostium to the distal click; where it cuts across dark tissue, runs
through a chamber of the heart or changes into another vessel, the path is wrong: move a click, and segment
again.
"""

STRAIGHTENED = """
Lengthwise cuts along the centerline, straightened, at four angles from its frames' normal; window -250 to
650 HU. The vessel should lie in the middle of all of them, bright and without a break, and the orange lines
on its edges. Pink lines, drawn just outside the wall, tell where it holds calcium. Shaded: the lumen is not
to be trusted there, for the reasons in the table.
"""

ACROSS = """
Cross-sections every few mm, seen looking distally, and in bold those of the lowest quality. The orange
outline should enclose the bright lumen without calcium and without side branches; the blue one, the outer
wall, is an estimate where fat does not show it. Pink, just outside the wall: the sector that holds calcium. A
yellow frame marks a lumen that is not to be trusted.
"""

PROFILE = """
A lumen that widens at a branch or jumps from one section to the next is suspicious. Calcium by angle as in
the cross-sections: 0° is to the right, 90° is down. The brightness of the blood falls slowly along an artery;
a sudden change means that the line leaves it.
"""

STRAIGHTENED_LABEL = """
The outlines of the lumen label, cut lengthwise along the centerline at four angles from its frames' normal;
on the image, where the case has one (window -250 to 650 HU), the orange lines should lie on the vessel's
edges.
"""

ACROSS_LABEL = """
Cross-sections of the lumen label every few mm, seen looking distally. On the image, where the case has one,
the outline should enclose the bright lumen without calcium and without side branches. Nothing is known of the
wall.
"""

PROFILE_LABEL = """
A lumen that widens at a branch or jumps from one section to the next is suspicious.
"""

VESSEL_IN_SPACE = """
The segmented lumen with its side branches. L, P and S point to the patient's left, back and head.
"""

BRANCHES = """
Names are those of the CCTA's own branches, drawn without "CCTA" in the figures above. Arc length is that of
the branch's mouth along the vessel, from the ostium; the angle is that between branch and vessel.
"""

VESSEL_MAKING = """
Versions and the SHA-256 of each input: the same again gives the same result.
"""

TREE_LINES = """
Every line runs from the ostium to one end. To segment one of the vessels, write its end into the case as
ccta.distal. Short or thin branches may be missing.
"""

FRAMES_RANKED = """
Frames from the best to the worst, with side branches and one of each doubt (yellow frame), as seen on the
console.
"""

FRAMES_IN_ORDER = """
Frames from the first to the last, all of the same quality, with side branches and one of each doubt (yellow
frame), as seen on the console.
"""

FRAMES = """
The blue outline should follow the border of the lumen; where it is dashed, the border is not seen (guide
wire, shadow, blood) and bridged. Green: the mouth of a side branch, as far as it is seen. Areas are those of
the lumen with the mouths closed.
"""

FRAMES_MEMBRANE = """
The light blue outline is the external elastic membrane.
"""

BLACKED = """
Black patches were blacked out: text and scale marks that the console drew. They count as not seen.
"""

FRAMES_OUTLINED = """
The contours of the case on its images, where it has any, as seen on the console.
"""

CUTS = """
Lengthwise cuts through the catheter at two angles, as in the stored image (0° to the right, 90° down), first
without and then with what was found. Lines should run along the wall without jumps; a sawtooth in the image
itself is the heartbeat. Shaded: the lumen is not to be trusted there, for the reasons below.
"""

CUTS_OUTLINED = """
The contours of the case, cut lengthwise through the catheter at two angles (0° to the right, 90° down).
Shaded: frames that are not to be trusted, for the reasons below.
"""

GAPS = """
Lines run through neighbouring frames with a contour only; a dot is such a frame on its own.
"""

RUN_PROFILE = """
A lumen that jumps from one frame to the next is suspicious, above all where the quality falls. The strip at
the bottom tells why frames are marked.
"""

RUN_PROFILE_MEMBRANE = """
A plaque burden is the share of the area inside the membrane that is not lumen; there is none where most of
the membrane is hidden.
"""

UNROLLED = """
How the lumen is known by angle and place. The guide wire is a grey band that wanders slowly. Side branches
are green spots of several frames; many small ones are shadows. Names are those of the pullback's own
branches, in the table with "pullback" before them. Angles as in the stored image, about the catheter.
"""

HEARTBEAT = """
The pullback ran through the heartbeat. One frame of each beat, all in the same phase, takes part in the
registration and in the mean numbers; dots should sit at the same place of every beat. Which phase it is can
only be guessed without an ECG: the probability says how well.
"""

RUN_FACTS = """
Where the scale of the images comes from. Areas follow the square of the pixel size, lengths the positions.
"""
