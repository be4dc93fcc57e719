"""Studies: what all studies share; each study's own code is in studies/<study>/.

register    the list of studies
claims      step: joins the claims of all studies into one table
verdicts    the rules of judgement: from an interval to a verdict
findings    what was found, in a sentence that follows from the verdict
statistics  means, slopes and intervals over questions, seeds and draws of the data
files       reading evaluations and published numbers
plan        step: the work and the time that studies need before they run
theorems    the rule by which theorems are judged over seeds, and the table of their quantities
sharing     step: counts the work that a study's runs share
"""
