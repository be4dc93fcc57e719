"""Does preflight find faults that are planted in the didactic world, where the truth is known, and only those?"""
