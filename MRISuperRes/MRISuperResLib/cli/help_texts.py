"""Descriptions and examples of the commands, as --help shows them."""

PROGRAM = "mrisuperres"

DESCRIPTION = """\
Super-resolution of MRI volumes, in-plane and between slices. The output occupies exactly the
space of the input, with smaller voxels. It is synthetic, not for diagnosis."""

EXAMPLES = f"""\
examples:
  {PROGRAM} upsample brain.nii.gz brain_x2.nii.gz
  {PROGRAM} upsample brain.nrrd brain_x4.nrrd --scale 4 --device cuda
  {PROGRAM} upsample fetal.nii.gz fetal_x2.nrrd --slice-axis coronal --model bicubic
  {PROGRAM} compare brain.nii.gz --scale 4 --out comparison
  {PROGRAM} audit brain.nii.gz --out audit
  {PROGRAM} models list

exit codes: 0 done; 1 internal error; 2 an error that you can fix; 130 cancelled (Ctrl-C)"""

UPSAMPLE_EXAMPLES = f"""\
IN   NIfTI (.nii, .nii.gz, .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), FreeSurfer
     (.mgz, .mgh), MINC (.mnc), PAR/REC, AFNI (.HEAD), a DICOM file, or a folder with a DICOM
     series
OUT  .nii, .nii.gz, .nrrd or .mha; the voxel type is kept. OUT.json records the provenance.
     With --dicom: a new or empty folder for a derived DICOM series.

examples:
  {PROGRAM} upsample in.nii.gz out.nii.gz                  default model, ×2 in-plane
  {PROGRAM} upsample in.nii.gz out.nrrd --scale 4          ×4
  {PROGRAM} upsample in.nii.gz out.nrrd --model bicubic    interpolation, without PyTorch
  {PROGRAM} upsample in.nii.gz out.nii.gz --isotropic      isotropic voxels
  {PROGRAM} upsample fmri.nii.gz out.nii.gz                all frames of a 4D file
  {PROGRAM} upsample fmri.nii.gz out.nii.gz --frame 0      its first frame
  {PROGRAM} upsample DICOM_DIR OUT_DIR --dicom             derived series of the same study"""

BATCH_DESCRIPTION = """\
Upsample every volume of folders and lists. Outputs that are up to date are skipped, so the same
command resumes a batch. A volume that fails does not stop the others; DIR/report.csv lists the
result of each."""

BATCH_EXAMPLES = f"""\
examples:
  {PROGRAM} batch study --out study_x2 --scale 2
  {PROGRAM} batch list.txt one.nii.gz --out upsampled --model bicubic --format nrrd
  {PROGRAM} batch study --bids                             study/derivatives/mrisuperres
  torchrun --nproc-per-node 4 -m -- MRISuperResLib batch study --out study_x4 --scale 4"""

COMPARE_DESCRIPTION = """\
Compare methods on a volume. The volume is the reference: it is degraded, restored by every method
and compared with the results. With --no-reference, the volume itself is upsampled."""

COMPARE_EXAMPLES = f"""\
IN   as for upsample
DIR  a new or empty folder; it appears when the comparison is complete:
       comparison.csv, slices.csv, lesions.csv   metrics, per slice, per synthetic lesion
       comparison.png                            one slice with a zoomed area, per method
       volumes/METHOD.nii.gz                     outputs; with a reference also
                                                 reference.nii.gz and low.nii.gz
       maps/                                     with --maps: inconsistency, error, GAN − PSNR
       comparison.json                           provenance
METHODS  names as in models list; NAME+bp adds back-projection; PAIR@ALPHA blends the PSNR (0)
         and the GAN (1) model of a pair

examples:
  {PROGRAM} compare in.nii.gz --out comparison
  {PROGRAM} compare in.nii.gz --out comparison --scale 4 --degradation kspace --noise 2
  {PROGRAM} compare in.nii.gz --out comparison --methods bicubic,bicubic+bp,fast-x2-psnr --maps
  {PROGRAM} compare in.nii.gz --out comparison --no-reference --perceptual niqe
  {PROGRAM} compare in.nii.gz --out comparison --slice-spacing 4 --slice-thickness 3"""

AUDIT_DESCRIPTION = """\
Measure hallucinated, lost and inconsistent detail. Every volume is a reference: slices are
degraded, with and without synthetic lesions, restored by every method and compared patch by patch
(scanning Fourier ring correlation, arXiv:2603.04673)."""

AUDIT_EXAMPLES = f"""\
IN   volume files, folders, DICOM folders or lists (.txt, one path per line), of subjects that
     the models were not trained on; of a 4D file, the first frame is audited
DIR  a new or empty folder; it appears when the audit is complete:
       audit.md, audit.png           a table per scale, with a guide; the worst slice per method
       summary.csv, audit.csv        figures per method, and per method and volume
       lesions.csv                   synthetic lesions, per method
       maps/VOLUME-METHOD-xN.nii.gz  frequency up to which each patch agrees with the reference
       audit.json                    provenance
bicubic and bicubic+bp are always audited as baselines, between slices linear, bspline and fourier.
A volume that fails does not stop the
others.

examples:
  {PROGRAM} audit reference.nii.gz --out audit
  {PROGRAM} audit study --models fast-x4-psnr,fast-x4-gan,fast-x4@0.5 --out audit
  {PROGRAM} audit study list.txt --scale 8 --slices all --degradation kspace --out audit
  {PROGRAM} audit brains --models mine-x2 --card brain --out audit
  {PROGRAM} audit brains --slice-spacing 4 --out audit"""

IMPORT_DESCRIPTION = """\
Convert a checkpoint (.pth, .pt, .ckpt, .safetensors) to a model for grayscale images: ESRGAN,
Real-ESRGAN (also with unshuffled input), its compact networks (SRVGGNetCompact), SwinIR, and every
other network that spandrel loads and that upsamples one image ×2, ×4 or ×8 with 1 or 3 channels.
Only weights are read; no code in the file is executed."""

COMMANDS = {
    "upsample": ("upsample a volume", DESCRIPTION, UPSAMPLE_EXAMPLES),
    "batch": ("upsample all volumes of folders and lists", BATCH_DESCRIPTION, BATCH_EXAMPLES),
    "compare": ("compare methods on a volume", COMPARE_DESCRIPTION, COMPARE_EXAMPLES),
    "audit": (
        "measure hallucinated, lost and inconsistent detail",
        AUDIT_DESCRIPTION,
        AUDIT_EXAMPLES,
    ),
    "models": (
        "list, show, install, import and remove models",
        "Manage the installed models.",
        None,
    ),
}
"""{command: (line in the list of commands, description, text after the options)}"""
