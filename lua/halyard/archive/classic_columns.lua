-- SPDX-License-Identifier: BSD-3-Clause
-- Labels and columns of the Kepler and K2 tables of the classic forms: answers carry labels,
-- requests column names. As published by MAST and kept by dfm/kplr (MIT), misspelt labels included.
-- One column a line: label|column|type; `i` integer, `f` float, `s` text, `t` time.

local M = {}

M["kepler/data_search"] = [==[
Kepler ID|ktc_kepler_id|i
Investigation ID|ktc_investigation_id|s
Pep ID|sci_pep_id|i
Dataset Name|sci_data_set_name|s
Quarter|sci_data_quarter|i
Data Release|sci_data_rel|i
RA (J2000)|sci_ra|f
Dec (J2000)|sci_dec|f
Target Type|ktc_target_type|s
Archive Class|sci_archive_class|s
Ref|refnum|i
Actual Start Time|sci_start_time|t
Actual End Time|sci_end_time|t
Release Date|sci_release_date|t
RA PM|kic_pmra|f
Dec PM|kic_pmdec|f
U Mag|kic_umag|f
G Mag|kic_gmag|f
R Mag|kic_rmag|f
I Mag|kic_imag|f
Z Mag|kic_zmag|f
GRed Mag|kic_gredmag|f
D51 Mag|kic_d51mag|f
J Mag|twoMass_jmag|f
H Mag|twoMass_hmag|f
K Mag|twoMass_kmag|f
KEP Mag|kic_kepmag|f
2MASS ID|twoMass_2mass_id|s
2MASS Designation|twoMass_tmid|i
2MASS conflict flag|twoMass_conflictFlag|s
SCP ID|kic_scpid|i
Alt ID|kic_altid|i
Alt ID Source|kic_altsource|i
Star/Gal ID|kic_galaxy|i
Isolated/Blend ID|kic_blend|i
Var. ID|kic_variable|i
Teff|kic_teff|i
Log G|kic_logg|f
Metallicity|kic_feh|f
E(B-V)|kic_ebminusv|f
A_V|kic_av|f
Radius|kic_radius|f
Kepmag Source|kic_cq|s
Photometry Qual|kic_pq|i
Astrophysics Qual|kic_aq|i
Catalog key|kic_catkey|i
Scp Key|kic_scpkey|i
Parallax|kic_parallax|f
Gal Lon|kic_glon|f
Gal Lat|kic_glat|f
Total PM|kic_pmtotal|f
G-R color|kic_grcolor|f
J-K color|twoMass_jkcolor|f
G-K color|twoMass_gkcolor|f
Processing Date|sci_generation_date|t
crowding|sci_crowdsap|f
contamination|sci_contamination|f
flux fraction|sci_flfrcsap|f
cdpp3|sci_Cdpp3_0|f
cdpp6|sci_Cdpp6_0|f
cdpp12|sci_Cdpp12_0|f
Module|sci_module|i
Output|sci_output|i
Channel|sci_channel|i
Skygroup_ID|sci_skygroup_id|i
Condition flag|condition_flag|s
]==]

M["kepler/koi"] = [==[
Kepler ID|kepid|i
KOI Name|kepoi_name|s
KOI Number|kepoi|s
Kepler Disposition|koi_pdisposition|s
NExScI Disposition|koi_disposition|s
RA (J2000)|degree_ra|f
Dec (J2000)|degree_dec|f
Time of Transit Epoch|koi_time0bk|f
Time err1|koi_time0bk_err1|f
Time_err2|koi_time0bk_err2|f
Period|koi_period|f
Period err1|koi_period_err1|f
Period err2|koi_period_err2|f
Transit Depth|koi_depth|f
Depth err1|koi_depth_err1|f
Depth err2|koi_depth_err2|f
Duration|koi_duration|f
Duration err1|koi_duration_err1|f
Duration err2|koi_duration_err2|f
Ingress Duration|koi_ingress|f
Ingress err1|koi_ingress_err1|f
Ingress err2|koi_ingress_err2|f
Impact Parameter|koi_impact|f
Impact Parameter err1|koi_impact_err1|f
Impact Parameter err2|koi_impact_err2|f
Inclination|koi_incl|f
Inclination err1|koi_incl_err1|f
Inclination err2|koi_incl_err2|f
Semi-major Axis|koi_sma|f
Semi-major Axus err1|koi_sma_err1|f
Semi-major Axis err2|koi_sma_err2|f
Eccentricity|koi_eccen|f
Eccentricity err1|koi_eccen_err1|f
Eccentricity err2|koi_eccen_err2|f
Long of Periastron|koi_longp|f
Long err1|koi_longp_err1|f
Long err2|koi_longp_err2|f
r/R|koi_ror|f
r/R err1|koi_ror_err1|f
r/R err2|koi_ror_err2|f
a/R|koi_dor|f
a/R err1|koi_dor_err1|f
a/R err2|koi_dor_err2|f
Planet Radius|koi_prad|f
Planet Radius err1|koi_prad_err1|f
Planet Radius err2|koi_prad_err2|f
Teq|koi_teq|i
Teq err1|koi_teq_err1|i
Teq err2|koi_teq_err2|i
Teff|koi_steff|i
Teff err1|koi_steff_err1|i
Teff err2|koi_steff_err2|i
log(g)|koi_slogg|f
log(g) err1|koi_slogg_err1|f
log(g) err2|koi_slogg_err2|f
Metallicity|koi_smet|f
Metallicity err1|koi_smet_err1|f
Metallicity err2|koi_smet_err2|f
Stellar Radius|koi_srad|f
Stellar Radius err1|koi_srad_err1|f
Stellar Radius err2|koi_srad_err2|f
Stellar Mass|koi_smass|f
Stellar Mass err2|koi_smass_err2|f
Stellar Mass err1|koi_smass_err1|f
Age|koi_sage|f
Age err1|koi_sage_err1|f
Age err2|koi_sage_err2|f
Provenance|koi_sparprov|s
Quarters|koi_quarters|s
Limb Darkening Model|koi_limbdark_mod|s
Limb Darkening Coeff1|koi_ldm_coeff1|f
Limb Darkening Coeff2|koi_ldm_coeff2|f
Limb Darkening Coeff3|koi_ldm_coeff3|f
Limb Darkening Coeff4|koi_ldm_coeff4|f
Transit Number|koi_num_transits|i
Max single event sigma|koi_max_sngle_ev|f
Max Multievent sigma|koi_max_mult_ev|f
KOI count|koi_count|i
Binary Discrimination|koi_bin_oedp_sig|f
False Positive Bkgnd ID|koi_fp_bkgid|s
J-band diff|koi_fp_djmag|s
Comments|koi_comment|s
Transit Model|koi_trans_mod|s
Transit Model SNR|koi_model_snr|f
Transit Model DOF|koi_model_dof|f
Transit Model chisq|koi_model_chisq|f
FWM motion signif.|koi_fwm_stat_sig|f
gmag|koi_gmag|f
gmag err|koi_gmag_err|f
rmag|koi_rmag|f
rmag err|koi_rmag_err|f
imag|koi_imag|f
imag err|koi_imag_err|f
zmag|koi_zmag|f
zmag err|koi_zmag_err|f
Jmag|koi_jmag|f
Jmag err|koi_jmag_err|f
Hmag|koi_hmag|f
Hmag err|koi_hmag_err|f
Kmag|koi_kmag|f
Kmag err|koi_kmag_err|f
kepmag|koi_kepmag|f
kepmag err|koi_kepmag_err|f
Delivery Name|koi_delivname|s
FWM SRA|koi_fwm_sra|f
FWM SRA err|koi_fwm_sra_err|f
FWM SDec|koi_fwm_sdec|f
FWM SDec err|koi_fwm_sdec_err|f
FWM SRAO|koi_fwm_srao|f
FWM SRAO err|koi_fwm_srao_err|f
FWM SDeco|koi_fwm_sdeco|f
FWM SDeco err|koi_fwm_sdeco_err|f
FWM PRAO|koi_fwm_prao|f
FWM PRAO err|koi_fwm_prao_err|f
FWM PDeco|koi_fwm_pdeco|f
FWM PDeco err|koi_fwm_pdeco_err|f
Dicco MRA|koi_dicco_mra|f
Dicco MRA err|koi_dicco_mra_err|f
Dicco MDec|koi_dicco_mdec|f
Dicco MDec err|koi_dicco_mdec_err|f
Dicco MSky|koi_dicco_msky|f
Dicco MSky err|koi_dicco_msky_err|f
Dicco FRA|koi_dicco_fra|f
Dicco FRA err|koi_dicco_fra_err|f
Dicco FDec|koi_dicco_fdec|f
Dicco FDec err|koi_dicco_fdec_err|f
Dicco FSky|koi_dicco_fsky|f
Dicco FSky err|koi_dicco_fsky_err|f
Dikco MRA|koi_dikco_mra|f
Dikco MRA err|koi_dikco_mra_err|f
Dikco MDec|koi_dikco_mdec|f
Dikco MDec err|koi_dikco_mdec_err|f
Dikco MSky|koi_dikco_msky|f
Dikco MSky err|koi_dikco_msky_err|f
Dikco FRA|koi_dikco_fra|f
Dikco FRA err|koi_dikco_fra_err|f
Dikco FDec|koi_dikco_fdec|f
Dikco FDec err|koi_dikco_fdec_err|f
Dikco FSky|koi_dikco_fsky|f
Dikco FSky err|koi_dikco_fsky_err|f
Last Update|rowupdate|t
]==]

M["kepler/confirmed_planets"] = [==[
Planet Name|kepler_name|s
Kepler ID|kepid|i
KOI Name|kepoi_name|s
Alt Name|alt_name|s
KOI Number|koi_number|s
RA (J2000)|degree_ra|f
RA Error|ra_err|f
Dec (J2000)|degree_dec|f
Dec Error|dec_err|f
2mass Name|tm_designation|s
Planet temp|koi_teq|i
Planet Radius|koi_prad|f
Transit duration|koi_duration|f
Period|koi_period|f
Period err1|koi_period_err1|f
Ingress Duration|koi_ingress|f
Impact Parameter|koi_impact|f
Inclination|koi_incl|f
Provenance|koi_sparprov|s
a/R|koi_dor|f
Transit Number|koi_num_transits|i
Transit Model|koi_trans_mod|s
Time of transit|koi_time0bk|f
Time of transit err1|koi_time0bk_err1|f
Transit Depth|koi_depth|f
Semi-major Axis|koi_sma|f
r/R|koi_ror|f
r/R err1|koi_ror_err1|f
Age|koi_sage|f
Metallicity|koi_smet|f
Stellar Mass|koi_smass|f
Stellar Radius|koi_srad|f
Stellar Teff|koi_steff|i
Logg|koi_slogg|f
KEP Mag|koi_kepmag|f
g Mag|koi_gmag|f
r Mag|koi_rmag|f
i Mag|koi_imag|f
z Mag|koi_zmag|f
J Mag|koi_jmag|f
H Mag|koi_hmag|f
K Mag|koi_kmag|f
KOI List|koi_list_flag|s
Last Update|koi_vet_date|t
]==]

M["kepler/kic10"] = [==[
Kepler ID|kic_kepler_id|i
RA (J2000)|kic_degree_ra|f
Dec (J2000)|kic_dec|f
RA PM (arcsec/yr)|kic_pmra|f
Dec PM (arcsec/yr)|kic_pmdec|f
u Mag|kic_umag|f
g Mag|kic_gmag|f
r Mag|kic_rmag|f
i Mag|kic_imag|f
z Mag|kic_zmag|f
Gred Mag|kic_gredmag|f
D51 Mag|kic_d51mag|f
J Mag|kic_jmag|f
H Mag|kic_hmag|f
K Mag|kic_kmag|f
Kepler Mag|kic_kepmag|f
2MASS ID|kic_2mass_id|s
2MASS Designation|kic_tmid|i
SCP ID|kic_scpid|i
Alt ID|kic_altid|i
Alt ID Source|kic_altsource|i
Star/Gal ID|kic_galaxy|i
Isolated/Blend ID|kic_blend|i
Var. ID|kic_variable|i
Teff (deg K)|kic_teff|i
Log G (cm/s/s)|kic_logg|f
Metallicity (solar=0.0)|kic_feh|f
E(B-V)|kic_ebminusv|f
A_V|kic_av|f
Radius (solar=1.0)|kic_radius|f
Kepmag Source|kic_cq|s
Photometry Qual|kic_pq|i
Astrophysics Qual|kic_aq|i
Catalog key|kic_catkey|i
Scp Key|kic_scpkey|i
Parallax (arcsec)|kic_parallax|f
Gal Lon (deg)|kic_glon|f
Gal Lat (deg)|kic_glat|f
Total PM (arcsec/yr)|kic_pmtotal|f
g-r color|kic_grcolor|f
J-K color|kic_jkcolor|f
g-K color|kic_gkcolor|f
RA hours (J2000)|kic_ra|f
Flag|flag|i
]==]

M["k2/data_search"] = [==[
K2 ID|ktc_k2_id|i
Dataset Name|sci_data_set_name|s
Campaign|sci_campaign|i
Object type|objtype|s
Data Release|sci_data_rel|i
RA (J2000)|sci_ra|f
Dec (J2000)|sci_dec|f
Target Type|ktc_target_type|s
Archive Class|sci_archive_class|s
Ref|refnum|i
Actual Start Time|sci_start_time|t
Actual End Time|sci_end_time|t
Investigation ID|ktc_investigation_id|s
RA PM|pmRA|f
RA PM Err|e_pmRA|f
Dec PM|pmDEC|f
Dec PM Err|e_pmDEC|f
Plx|plx|f
Plx Err|e_plx|f
U Mag|umag|f
U Mag Err|e_umag|f
B Mag|bmag|f
B Mag Err|e_bmag|f
V Mag|vmag|f
V Mag Err|e_vmag|f
G Mag|gmag|f
G Mag Err|e_gmag|f
R Mag|rmag|f
R Mag Err|e_rmag|f
I Mag|imag|f
I Mag Err|e_imag|f
Z Mag|zmag|f
Z Mag Err|e_zmag|f
J Mag|jmag|f
J Mag Err|e_jmag|f
H Mag|hmag|f
H Mag Err|e_hmag|f
K Mag|kmag|f
K Mag Err|e_kmag|f
KEP Mag|kp|f
Kep Flag|kepflag|s
Hip ID|hip|i
Tyc ID|tyc|s
SDSS ID|sdss|s
UCAC ID|ucac|s
2MASS ID|twoMass|s
2MASS Flag|mflg|s
Processing Date|sci_generation_date|t
crowding|sci_crowdsap|f
contamination|sci_contamination|f
flux fraction|sci_flfrcsap|f
cdpp3|sci_Cdpp3_0|f
cdpp6|sci_Cdpp6_0|f
cdpp12|sci_Cdpp12_0|f
Module|sci_module|i
Output|sci_output|i
Channel|sci_channel|i
Nearest Neighbor|prox|f
Nomad ID|nomad|s
]==]

M["k2/epic"] = [==[
EPIC|id|i
RA|k2_ra|f
Dec|k2_dec|f
KepMag|kp|f
HIP|hip|i
TYC|tyc|s
UCAC|ucac|s
2MASS|twomass|s
SDSS|sdss|s
Object type|objtype|s
Kepflag|kepflag|s
pmra|pmra|f
e_pmra|e_pmra|f
pmdec|pmdec|f
e_pmdec|e_pmdec|f
plx|plx|f
e_plx|e_plx|f
Bmag|bmag|f
e_Bmag|e_bmag|f
Vmag|vmag|f
e_Vmag|e_vmag|f
umag|umag|f
e_umag|e_umag|f
gmag|gmag|f
e_gmag|e_gmag|f
rmag|rmag|f
e_rmag|e_rmag|f
imag|imag|f
e_imag|e_imag|f
zmag|zmag|f
e_zmag|e_zmag|f
Jmag|jmag|f
e_Jmag|e_jmag|f
Hmag|hmag|f
e_Hmag|e_hmag|f
Kmag|kmag|f
e_Kmag|e_kmag|f
w1mag|w1mag|f
e_w1mag|e_w1mag|f
w2mag|w2mag|f
e_w2mag|e_w2mag|f
w3mag|w3mag|f
e_w3mag|e_w3mag|f
w4mag|w4mag|f
e_w4mag|e_w4mag|f
Teff|teff|f
e_teff|e_teff|f
logg|logg|f
e_logg|e_logg|f
[Fe/H]|feh|f
e_[Fe/H]|e_feh|f
Radius|rad|f
e_rad|e_rad|f
mass|mass|f
e_mass|e_mass|f
rho|rho|f
e_rho|e_rho|f
lum|lum|f
e_lum|e_lum|f
Distance|d|f
e_d|e_d|f
E(B-V)|ebv|f
2MASS Flag|mflg|s
Nearest Neighbor|prox|f
Nomad ID|nomad|s
]==]

return M
